/** The browser's storage in the status line: how much the site takes of what it may, and whether it is kept. */
import type { Machine } from "../../machine/api.ts";
import { element, setText } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { type Appearance, figure, sign } from "./figure.ts";
import { type Keeping, Persistence } from "./persistence.ts";

/** The estimate costs the browser a look at all of the site's files. */
const lookMs = 5000;

const appearances: Record<Keeping, Appearance> = {
  kept: ["✓", "good", "kept"],
  clearable: ["▲", "busy", "may be cleared"],
  unknown: ["○", "idle", "as the browser likes"],
};

export interface StorageFigure {
  readonly root: HTMLElement;
  /** To be called about once a second. */
  look(): Promise<void>;
}

/**
 * Makes the figure. Asks the browser to keep the data when somebody has used the page and Linux has written since: by
 * then there is something to lose.
 */
export function storageFigure(machine: Machine): StorageFigure {
  const persistence = new Persistence(navigator.storage, localStorage);
  const usage = element("span", { class: "usage" });
  const keeping = sign(14);
  const keep = element(
    "button",
    { type: "button", class: "quiet", title: "Ask the browser not to clear the disks when space runs low" },
    "Keep…",
  );
  keep.hidden = true;
  const root = figure("storage", "storage", usage, " ", keeping.root, keep);
  root.classList.add("disk");

  let lookedAt = Number.NEGATIVE_INFINITY;
  let writtenAtPrompt: number | undefined;
  const show = async () => {
    lookedAt = performance.now();
    const report = await persistence.report();
    const size = report.usage === undefined ? "" : formatBytes(report.usage);
    setText(usage, report.quota === undefined ? size : `${size} of ${formatBytes(report.quota)}`);
    keeping.show(...appearances[report.keeping]);
    keep.hidden = report.keeping !== "clearable" || !persistence.canAsk;
  };
  keep.addEventListener("click", async () => {
    if (!(await persistence.ask())) {
      setText(keep, "Refused");
      keep.title = "The browser decides: it may keep sites that are bookmarked, installed or often used.";
    }
    await show();
  });

  return {
    root,
    async look() {
      if (machine.state === "running" && !machine.readOnly) {
        const { sectorsWritten } = machine.counters();
        writtenAtPrompt ??= sectorsWritten;
        const used = navigator.userActivation?.hasBeenActive ?? true;
        if (used && sectorsWritten > writtenAtPrompt) await persistence.askOnce();
      } else {
        writtenAtPrompt = undefined;
      }
      if (performance.now() - lookedAt >= lookMs) await show();
    },
  };
}
