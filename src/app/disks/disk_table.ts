/** The table of the disks there are. */
import type { CatalogueDisk } from "../../machine/api.ts";
import { element } from "../dom.ts";
import { formatBytes } from "../format.ts";
import type { DiskAction } from "./disk_actions.ts";

const headings = ["Name", "In Linux", "Used", "Size", "Block", "Kept in", ""];
const kinds = { indexeddb: "IndexedDB", opfs: "files (OPFS)", http: "server image + changes" } as const;

/** Makes the rows of the table; `run` is called when an action's button is pressed. */
export function diskTable(
  disks: readonly CatalogueDisk[],
  actionsOf: (disk: CatalogueDisk) => readonly DiskAction[],
  run: (action: DiskAction) => void,
): HTMLTableElement {
  const head = element(
    "tr",
    {},
    ...headings.map(text => element(text === "" ? "td" : "th", text === "" ? {} : { scope: "col" }, text)),
  );
  const rows = disks.map(disk => {
    const buttons = actionsOf(disk).map((action, index) => {
      const button = element(
        "button",
        {
          type: "button",
          title: action.title,
          "aria-label": `${action.label.replace("…", "")} ${disk.name}`,
          // By its place: Attach becomes Detach.
          "data-action": `${disk.name}/${index}`,
          class: action.isDangerous ? "danger" : "",
        },
        action.label,
      );
      button.addEventListener("click", () => run(action));
      return button;
    });
    const cells = [
      place(disk),
      disk.usedBytes === undefined ? "not known now" : formatBytes(disk.usedBytes),
      formatBytes(disk.capacityBytes),
      `${disk.lbaBytes} B`,
      kinds[disk.kind],
    ];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, disk.name),
      ...cells.map((text, i) => element("td", { "data-label": headings[i + 1] }, text)),
      element("td", { class: "actions" }, ...buttons),
    );
  });
  return element("table", { class: "disk-table" }, element("thead", {}, head), element("tbody", {}, ...rows));
}

/** Where the guest sees the disk, or could. */
function place({ path, attached, builtIn, nsid }: CatalogueDisk): string {
  if (path !== undefined) {
    // Linux counts the disks that it finds: its number need not be the namespace's.
    return nsid === undefined || path.endsWith(`n${nsid}`) ? path : `${path}, namespace ${nsid}`;
  }
  if (builtIn) return "in every machine";
  if (attached) return "from the next start on";
  // One that Linux has made or detached, and can attach by itself (nvme attach-ns).
  return nsid === undefined ? "not attached" : `not attached, namespace ${nsid}`;
}
