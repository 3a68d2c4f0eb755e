/** "Machines…": the machines there are, and the form for a new one. */
import type { Machine } from "../../machine/api.ts";
import { sourceName } from "../../machine/own/own_machine.ts";
import { messageOf } from "../controls/actions.ts";
import { ask, askFor, openPanel } from "../controls/dialog.ts";
import { makeTransfers } from "../disks/transfers.ts";
import { button, element } from "../dom.ts";
import { startAgain } from "../setup/change.ts";
import { type MachineForm, machineForm } from "./machine_form.ts";
import {
  deleteMachine,
  freshMachineId,
  type KeptMachine,
  keepMachine,
  listMachines,
  renameMachine,
} from "./store.ts";
import { showName } from "./title.ts";

/** The dialog, if it is open. */
let open: MachinesDialog | undefined;

/** Opens the dialog; with `files` (dropped images) at the form for a new machine, made of them. */
export async function openMachinesDialog(
  machine: Machine,
  notice: (message: string) => void,
  files: readonly File[] = [],
): Promise<void> {
  open ??= new MachinesDialog(machine, notice, () => {
    open = undefined;
  });
  await open.show(files);
}

class MachinesDialog {
  readonly #machine: Machine;
  readonly #notice: (message: string) => void;
  readonly #transfers = makeTransfers();
  readonly #body = element("div", {}, "Looking at the machines…");
  readonly #message = element("p", { class: "outcome", role: "status" });
  readonly #dialog: HTMLDialogElement;
  #form: MachineForm | undefined;
  #busy = false;

  constructor(machine: Machine, notice: (message: string) => void, closed: () => void) {
    this.#machine = machine;
    this.#notice = notice;
    this.#dialog = openPanel("Machines", [this.#body, this.#transfers.root, this.#message]);
    this.#dialog.classList.add("machines");
    this.#dialog.addEventListener("close", closed);
    this.#dialog.addEventListener("dragover", event => event.preventDefault());
    this.#dialog.addEventListener("drop", event => {
      event.preventDefault();
      void this.show([...(event.dataTransfer?.files ?? [])]);
    });
  }

  async show(files: readonly File[]): Promise<void> {
    if (files.length === 0) return this.#showList();
    if (!this.#form) await this.#showForm();
    await this.#form
      ?.take(files)
      .catch(error => this.#say(`The file cannot be read: ${messageOf(error)}.`, true));
  }

  async #showList(): Promise<void> {
    this.#form = undefined;
    const kept = await listMachines().catch(error => {
      this.#say(`The machines cannot be listed: ${messageOf(error)}.`, true);
      return [];
    });
    const present = new URLSearchParams(location.search).get("machine");
    const builtIn = row("Doorbell Linux", "The built-in machine", !this.#machine.settings.own, [
      button("Start", () => this.#go(""), { "aria-label": "Start the built-in machine" }),
    ]);
    this.#body.replaceChildren(
      element(
        "ul",
        { class: "machine-list" },
        builtIn,
        ...kept.map(each => this.#row(each, each.id === present)),
      ),
      element(
        "p",
        { class: "explanation" },
        "Drop a CD image, a disk, a floppy or a kernel anywhere on the page to make a machine of it.",
      ),
      element(
        "div",
        { class: "buttons" },
        button("New machine…", () => this.#showForm()),
        button("Close", () => this.#dialog.close()),
      ),
    );
  }

  #row(kept: KeptMachine, isPresent: boolean): HTMLElement {
    const { name } = kept.machine;
    const label = (what: string) => ({ "aria-label": `${what} ${name}` });
    return row(name, describe(kept), isPresent, [
      button(isPresent ? "Start again" : "Start", () => this.#go(`?machine=${kept.id}`), label("Start")),
      button("Change…", () => this.#showForm(kept), label("Change")),
      button("Rename…", () => this.#rename(kept, isPresent), label("Rename")),
      button("Delete…", () => this.#delete(kept, isPresent), { ...label("Delete"), class: "danger" }),
    ]);
  }

  async #showForm(kept?: KeptMachine): Promise<void> {
    this.#say("", false);
    const disks = await this.#machine.catalogue.list().catch(() => []);
    const form = machineForm(disks, kept);
    this.#form = form;
    const start = button("Keep and start", () => this.#save(form, kept, true));
    this.#body.replaceChildren(
      form.root,
      element(
        "p",
        { class: "explanation" },
        "CD, floppy and kernel files are kept in this browser with the machine. A disk of an image file becomes one of your disks.",
      ),
      element(
        "div",
        { class: "buttons" },
        start,
        button("Keep", () => this.#save(form, kept, false)),
        button("Cancel", () => this.#showList()),
      ),
    );
    form.root.querySelector("input")?.focus();
  }

  async #save(form: MachineForm, before: KeptMachine | undefined, starts: boolean): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#say("", false);
    try {
      const value = await form.value(this.#machine.catalogue, this.#transfers.run);
      if (!value) return;
      const id = before?.id ?? freshMachineId();
      await keepMachine({ ...value, id, createdAt: before?.createdAt ?? Date.now() });
      if (starts) await this.#go(`?machine=${id}`);
      else await this.#showList();
    } catch (error) {
      this.#say(`That did not work: ${messageOf(error)}.`, true);
    } finally {
      this.#busy = false;
    }
  }

  async #rename({ id, machine }: KeptMachine, isPresent: boolean): Promise<void> {
    const answer = await askFor({
      title: "Rename machine",
      label: "Name",
      value: machine.name,
      confirm: "Rename",
    });
    const name = answer?.slice(0, 80);
    if (name) {
      await renameMachine(id, name).then(
        () => isPresent && showName(name),
        error => this.#say(messageOf(error), true),
      );
    }
    await this.#showList();
  }

  async #delete({ id, machine }: KeptMachine, isPresent: boolean): Promise<void> {
    const disks = machine.disks.flatMap(disk => (disk.kind === "kept" ? [disk.name] : []));
    const sure = await ask({
      title: `Delete “${machine.name}”?`,
      body: [
        "Its settings, its snapshots and the CD, floppy and kernel files that are kept with it are deleted. This cannot be undone. ",
        disks.length === 0
          ? "It has no disks of this browser."
          : `Its disks (${disks.join(", ")}) stay in the list of disks: delete them there.`,
      ],
      confirm: "Delete",
    });
    if (!sure) return;
    await deleteMachine(id).catch(error => this.#say(messageOf(error), true));
    if (!isPresent) return await this.#showList();
    await this.#machine.stop().catch(() => {});
    await this.#go("");
  }

  /** Leaves for another machine: the present one is ended as it is when its settings are changed. */
  async #go(query: string): Promise<void> {
    await startAgain(this.#machine, query).catch(error =>
      this.#say(`The present machine could not be ended: ${messageOf(error)}.`, true),
    );
  }

  #say(message: string, isError: boolean): void {
    if (!this.#dialog.open) {
      if (message !== "") this.#notice(message);
      return;
    }
    this.#message.classList.toggle("error", isError);
    this.#message.replaceChildren(...(message === "" ? [] : [isError ? "✕ " : "✓ ", message]));
  }
}

function row(name: string, description: string, isPresent: boolean, actions: readonly Node[]): HTMLElement {
  return element(
    "li",
    isPresent ? { "aria-current": "true" } : {},
    element(
      "span",
      { class: "machine-name" },
      element("strong", {}, name),
      isPresent ? " · running here" : "",
      element("span", { class: "explanation" }, description),
    ),
    element("span", { class: "machine-actions" }, ...actions),
  );
}

/** In a line: memory, and what is in its drives. */
function describe({ machine, memoryMiB }: KeptMachine): string {
  const { cdrom, floppy, kernel, disks, bus } = machine;
  const names = { nvme: "NVMe", virtio: "virtio", ide: "IDE" } as const;
  return [
    `${memoryMiB} MiB`,
    ...(cdrom ? [`CD ${shortName(sourceName(cdrom))}`] : []),
    ...(floppy ? [`floppy ${shortName(sourceName(floppy))}`] : []),
    ...(kernel ? [`kernel ${shortName(sourceName(kernel))}`] : []),
    ...disks.map(disk => `${names[bus]} disk ${disk.kind === "kept" ? disk.name : shortName(disk.url)}`),
  ].join(" · ");
}

const shortName = (name: string): string => name.split("/").at(-1) || name;
