/** "Disks…": the disks that are kept in this browser, and what can be done with them. */
import type { CatalogueDisk, Machine, NewCatalogueDisk, NewDiskOnImage } from "../../machine/api.ts";
import { messageOf } from "../controls/actions.ts";
import { openPanel } from "../controls/dialog.ts";
import { element } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { actionsOf, type DiskAction } from "./disk_actions.ts";
import { diskTable } from "./disk_table.ts";
import { newDiskForm } from "./new_disk.ts";
import { makeTransfers, type Transfers } from "./transfers.ts";

export interface DisksDialog {
  open(): void;
}

/** `notice` tells how a transfer ended after the dialog was closed. */
export function makeDisksDialog(machine: Machine, notice: (message: string) => void): DisksDialog {
  const transfers = makeTransfers();
  return {
    open() {
      new OpenDialog(machine, transfers, notice);
    },
  };
}

/** The dialog from its opening to its closing. */
class OpenDialog {
  readonly #machine: Machine;
  readonly #transfers: Transfers;
  readonly #notice: (message: string) => void;
  readonly #dialog: HTMLDialogElement;
  readonly #list = element("div", { class: "disk-list" }, "Looking at the disks…");
  readonly #message = element("p", { class: "outcome", role: "status" });
  readonly #form = newDiskForm(
    disk => void this.#create(disk),
    disk => void this.#createOnImage(disk),
    file => void this.#import(file),
  );
  #refreshes = 0;

  constructor(machine: Machine, transfers: Transfers, notice: (message: string) => void) {
    this.#machine = machine;
    this.#transfers = transfers;
    this.#notice = notice;
    const close = element("button", { type: "button", autofocus: true }, "Close");
    close.addEventListener("click", () => this.#dialog.close());
    this.#dialog = openPanel("Disks", [
      this.#list,
      transfers.root,
      this.#message,
      this.#form.root,
      element("div", { class: "buttons" }, close),
    ]);
    this.#dialog.classList.add("disks");
    this.#takeDrops();
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    const refresh = ++this.#refreshes;
    let disks: readonly CatalogueDisk[];
    try {
      disks = await this.#machine.catalogue.list();
    } catch (error) {
      this.#say(`The disks cannot be listed: ${messageOf(error)}.`, true);
      return;
    }
    // A later one is under way.
    if (refresh !== this.#refreshes) return;
    const focused = document.activeElement?.getAttribute("data-action");
    this.#list.replaceChildren(
      diskTable(
        disks,
        disk => actionsOf(disk, this.#machine.catalogue, this.#transfers),
        action => void this.#run(action),
      ),
    );
    // The table is new: the focus stays where it was.
    if (focused) this.#list.querySelector<HTMLElement>(`[data-action="${CSS.escape(focused)}"]`)?.focus();
  }

  async #run(action: DiskAction): Promise<void> {
    await this.#attempt(() => action.run());
  }

  async #create(disk: () => NewCatalogueDisk): Promise<void> {
    await this.#attempt(async () => {
      const wanted = disk();
      await this.#machine.catalogue.create(wanted);
      this.#form.clear();
      return `“${wanted.name}” was made, with ${formatBytes(wanted.capacityBytes)}. Attach it to use it in Linux.`;
    });
  }

  async #createOnImage(disk: NewDiskOnImage): Promise<void> {
    await this.#attempt(async () => {
      await this.#machine.catalogue.createOnImage(disk);
      this.#form.clear();
      return `“${disk.name}” stands on ${disk.url}: what is read comes from there, what is written stays here. Attach it to use it in Linux.`;
    });
  }

  async #import(file: File): Promise<void> {
    await this.#attempt(async () => {
      const disk = this.#form.forImage(file);
      const imported = await this.#transfers.run(`Importing ${file.name}`, options =>
        this.#machine.catalogue.importImage(file, disk, options),
      );
      if (imported === undefined) return undefined;
      this.#form.clear();
      const padding =
        imported.paddedBytes === 0
          ? ""
          : ` ${imported.paddedBytes} bytes of zeroes fill its last block of ${disk.lbaBytes}.`;
      return `“${disk.name}” was made of ${file.name}.${padding} Attach it to use it in Linux.`;
    });
  }

  async #attempt(action: () => Promise<string | undefined>): Promise<void> {
    this.#say("", false);
    try {
      const outcome = await action();
      if (outcome !== undefined) this.#say(outcome, false);
    } catch (error) {
      this.#say(`That did not work: ${messageOf(error)}.`, true);
    }
    await this.#refresh();
  }

  #say(message: string, isError: boolean): void {
    if (!this.#dialog.open) {
      if (message !== "") this.#notice(message);
      return;
    }
    this.#message.classList.toggle("error", isError);
    this.#message.replaceChildren(...(message === "" ? [] : [isError ? "✕ " : "✓ ", message]));
    this.#message.scrollIntoView({ block: "nearest" });
  }

  #takeDrops(): void {
    this.#dialog.addEventListener("dragover", event => {
      event.preventDefault();
      this.#dialog.classList.add("dropping");
    });
    this.#dialog.addEventListener("dragleave", () => this.#dialog.classList.remove("dropping"));
    this.#dialog.addEventListener("drop", event => {
      event.preventDefault();
      this.#dialog.classList.remove("dropping");
      for (const file of event.dataTransfer?.files ?? []) void this.#import(file);
    });
  }
}
