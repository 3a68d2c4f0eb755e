/** "Snapshots…": the whole machine, as it is now, kept to go on from later. */
import type { ListedSnapshot, Machine } from "../../machine/api.ts";
import { messageOf } from "../controls/actions.ts";
import { ask, openPanel } from "../controls/dialog.ts";
import { element } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { saveAs } from "../save_as.ts";

const headings = ["Taken", "Size", "Fits the disks", ""];

/** Opens the dialog. `notice` tells how something ended after it was closed. */
export function openSnapshots(machine: Machine, notice: (message: string) => void): void {
  new SnapshotsDialog(machine, notice);
}

class SnapshotsDialog {
  readonly #machine: Machine;
  readonly #notice: (message: string) => void;
  readonly #dialog: HTMLDialogElement;
  readonly #list = element("div", { class: "disk-list" }, "Looking at the snapshots…");
  readonly #message = element("p", { class: "outcome", role: "status" });
  readonly #buttons: HTMLButtonElement[] = [];

  constructor(machine: Machine, notice: (message: string) => void) {
    this.#machine = machine;
    this.#notice = notice;
    const { snapshots } = machine;
    const suspend = this.#button("Save and switch off", "The next start goes on from here", () =>
      this.#attempt("Saving the machine…", async () => {
        await snapshots.suspend();
        this.#dialog.close();
        return "The machine is saved and switched off. Switch it on, now or in another visit, to go on where you were.";
      }),
    );
    const take = this.#button("Take a snapshot", "The machine goes on", () =>
      this.#attempt("Taking a snapshot…", async () => {
        const { bytes } = await snapshots.take();
        return `A snapshot was taken, with ${formatBytes(bytes)}. It can be restored until a disk is written to.`;
      }),
    );
    const file = element("input", {
      type: "file",
      id: "snapshot-file",
      class: "visually-hidden",
      tabindex: "-1",
    });
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      if (!chosen) return;
      void this.#attempt(`Reading ${chosen.name}…`, async () => {
        await snapshots.add(chosen);
        file.value = "";
        return `${chosen.name} is among the snapshots.`;
      });
    });
    const add = this.#button("Add from a file…", "A snapshot that was saved as a file", () => file.click());
    const close = element("button", { type: "button", autofocus: true }, "Close");
    close.addEventListener("click", () => this.#dialog.close());
    this.#dialog = openPanel("Snapshots", [
      element(
        "p",
        { class: "explanation" },
        "A snapshot holds memory, CPU and devices, not the disks: it fits them until one is written to. What the guest has in its memory would then be of another time than its disk.",
      ),
      this.#list,
      this.#message,
      element("div", { class: "buttons snapshot-buttons" }, suspend, take, add, file, close),
    ]);
    this.#dialog.classList.add("disks", "snapshots");
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    try {
      const snapshots = await this.#machine.snapshots.list();
      this.#list.replaceChildren(
        snapshots.length === 0 ? element("p", {}, "There are none yet.") : this.#table(snapshots),
      );
    } catch (error) {
      this.#say(`The snapshots cannot be listed: ${messageOf(error)}.`, true);
    }
  }

  #table(snapshots: readonly ListedSnapshot[]): HTMLTableElement {
    const head = element(
      "tr",
      {},
      ...headings.map(text => element(text === "" ? "td" : "th", text === "" ? {} : { scope: "col" }, text)),
    );
    const rows = snapshots.map(snapshot => {
      const taken = new Date(snapshot.takenAt).toLocaleString();
      const fits = element(
        "td",
        { "data-label": headings[2], title: snapshot.refusal ?? "" },
        snapshot.refusal === undefined ? "✓ yes" : `✕ no: ${shortReason(snapshot.refusal)}`,
      );
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, taken),
        element("td", { "data-label": headings[1] }, formatBytes(snapshot.bytes)),
        fits,
        element("td", { class: "actions" }, ...this.#actions(snapshot, taken)),
      );
    });
    return element(
      "table",
      { class: "disk-table" },
      element("thead", {}, head),
      element("tbody", {}, ...rows),
    );
  }

  #actions(snapshot: ListedSnapshot, taken: string): HTMLButtonElement[] {
    const { snapshots } = this.#machine;
    const restore = this.#rowButton("Restore", taken, () => this.#restore(snapshot, taken));
    restore.disabled = snapshot.refusal !== undefined;
    const save = this.#rowButton("Save as a file", taken, () =>
      this.#attempt("Saving…", async () => {
        saveAs(
          await snapshots.save(snapshot.id),
          `doorbell-${new Date(snapshot.takenAt).toISOString().slice(0, 16)}.snapshot`,
        );
        return undefined;
      }),
    );
    const remove = this.#rowButton("Delete", taken, () =>
      this.#attempt("Deleting…", async () => {
        await snapshots.remove(snapshot.id);
        return `The snapshot of ${taken} is deleted.`;
      }),
    );
    remove.classList.add("danger");
    return [restore, save, remove];
  }

  async #restore({ id }: ListedSnapshot, taken: string): Promise<void> {
    const { state, snapshots } = this.#machine;
    const isLossy = state === "running" || state === "booting";
    const confirmed =
      !isLossy ||
      (await ask({
        title: "Restore the snapshot?",
        body: [
          `The machine goes on as it was on ${taken}. What it has done in memory since is lost; the disks were not written to.`,
        ],
        confirm: "Restore",
      }));
    if (!confirmed) return;
    await this.#attempt("Restoring…", async () => {
      await snapshots.restore(id);
      this.#dialog.close();
      return undefined;
    });
  }

  #button(label: string, title: string, action: () => unknown): HTMLButtonElement {
    const made = element("button", { type: "button", title }, label);
    made.addEventListener("click", () => void action());
    this.#buttons.push(made);
    return made;
  }

  #rowButton(label: string, taken: string, action: () => unknown): HTMLButtonElement {
    const made = element("button", { type: "button", "aria-label": `${label}: ${taken}` }, label);
    made.addEventListener("click", () => void action());
    return made;
  }

  async #attempt(doing: string, action: () => Promise<string | undefined>): Promise<void> {
    this.#say(doing, false, "");
    for (const each of this.#buttons) each.disabled = true;
    try {
      const outcome = await action();
      this.#say(outcome ?? "", false);
    } catch (error) {
      this.#say(`That did not work: ${messageOf(error)}.`, true);
    }
    for (const each of this.#buttons) each.disabled = false;
    if (this.#dialog.open) await this.#refresh();
  }

  #say(message: string, isError: boolean, mark = isError ? "✕ " : "✓ "): void {
    if (!this.#dialog.open) {
      if (message !== "") this.#notice(message);
      return;
    }
    this.#message.classList.toggle("error", isError);
    this.#message.replaceChildren(...(message === "" ? [] : [mark, message]));
  }
}

/** The part of a refusal that says why: behind its colon, up to the end of that sentence. */
function shortReason(refusal: string): string {
  const [, reason = refusal] = /: (.*?)\. /.exec(refusal) ?? [];
  return reason;
}
