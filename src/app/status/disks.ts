/** The disks in the status line. */
import type { DiskStatus } from "../../machine/api.ts";
import { element, setText } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { figure, type Sign, sign } from "./figure.ts";

interface DiskFigure {
  readonly root: HTMLElement;
  readonly usage: HTMLElement;
  readonly state: Sign;
}

export interface DiskFigures {
  show(disks: readonly DiskStatus[]): void;
}

/** Makes a figure for each disk, in `el`. */
export function diskFigures(el: HTMLElement): DiskFigures {
  const figures = new Map<string, DiskFigure>();

  const figureOf = (name: string): DiskFigure => {
    let made = figures.get(name);
    if (made === undefined) {
      const usage = element("span", { class: "usage" });
      const state = sign(20);
      const root = figure("disk", name, usage, " ", state.root);
      root.classList.add("disk");
      made = { root, usage, state };
      figures.set(name, made);
    }
    return made;
  };

  return {
    show(disks) {
      // A disk that opens first need not be the first one: the order is the guest's.
      const missing = disks.some(disk => !figures.has(disk.name));
      for (const disk of disks.toSorted((a, b) => a.path.localeCompare(b.path))) {
        const { root, usage, state } = figureOf(disk.name);
        if (missing) el.append(root);
        setText(usage, `${formatBytes(disk.allocatedBytes)} of ${formatBytes(disk.byteLength)}`);
        if (disk.flushing) state.show("◐", "busy", `flushing ${formatBytes(disk.dirtyBytes)}`);
        else if (disk.dirtyBytes > 0)
          state.show("▲", "busy", `${formatBytes(disk.dirtyBytes)} not yet flushed`);
        else state.show("✓", "good", "all flushed");
      }
      for (const [name, { root }] of figures) {
        if (disks.some(disk => disk.name === name)) continue;
        root.remove();
        figures.delete(name);
      }
    },
  };
}
