/** The form that a machine of one's own is made, or changed, with. */
import type { CatalogueDisk, DiskCatalogue, TransferOptions } from "../../machine/api.ts";
import { type BootDevice, type DiskBus, type OwnMachine, problemOf } from "../../machine/own/own_machine.ts";
import { element } from "../dom.ts";
import { disksField } from "./disk_field.ts";
import { guessRole } from "./guess.ts";
import { mediaField } from "./media_field.ts";
import { MEMORY, type OwnMachineOptions } from "./own_settings.ts";

export interface MachineForm {
  readonly root: HTMLElement;
  /** Puts files where they seem to belong. */
  take(files: readonly File[]): Promise<void>;
  /** Makes the disks and gives the machine. Rejects with a sentence; undefined if a transfer was cancelled. */
  value(catalogue: DiskCatalogue, transfer: RunTransfer): Promise<FormValue | undefined>;
}

export interface FormValue extends OwnMachineOptions {
  readonly machine: OwnMachine;
}

type RunTransfer = <T>(
  what: string,
  work: (options: TransferOptions) => Promise<T>,
) => Promise<T | undefined>;

const buses: readonly (readonly [DiskBus, string])[] = [
  ["nvme", "NVMe (Linux from 2012 on, Windows from 8.1 on)"],
  ["virtio", "virtio-blk (one disk; Linux)"],
  ["ide", "IDE (any system, up to two disks)"],
];
const bootOrders: readonly (readonly [string, string])[] = [
  ["floppy,cdrom,disk", "floppy, CD, disk"],
  ["disk,cdrom,floppy", "disk, CD, floppy"],
  ["cdrom,disk,floppy", "CD, disk, floppy"],
  ["disk", "disk only"],
  ["cdrom", "CD only"],
];

/** `kept`: the disks there are; `initial`: the machine that is to be changed. */
export function machineForm(kept: readonly CatalogueDisk[], initial?: FormValue): MachineForm {
  const name = element("input", {
    id: "machine-name",
    maxlength: "80",
    autocomplete: "off",
    value: initial?.machine.name ?? "",
    placeholder: "as its image is called",
  });
  const media = {
    cdrom: mediaField("machine-cdrom", "CD image (ISO)"),
    floppy: mediaField("machine-floppy", "Floppy image"),
    kernel: mediaField("machine-kernel", "Linux kernel (bzImage)"),
    initrd: mediaField("machine-initrd", "Initrd"),
  };
  const commandLine = element("input", {
    id: "machine-cmdline",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: "2000",
    value: initial?.machine.commandLine ?? "",
  });
  const disks = disksField(kept);
  const bus = select("machine-bus", buses, initial?.machine.bus ?? "ide");
  const boot = select("machine-boot", bootOrders, initial?.machine.bootOrder.join() ?? "floppy,cdrom,disk");
  const memory = element("input", {
    id: "machine-memory",
    type: "number",
    min: String(MEMORY.least),
    max: String(MEMORY.most),
    value: String(initial?.memoryMiB ?? MEMORY.initial),
  });
  const acpi = element("input", {
    id: "machine-acpi",
    type: "checkbox",
    checked: initial?.interrupts === "msix",
  });
  for (const [slot, field] of Object.entries(media)) field.set(initial?.machine[slot as keyof typeof media]);
  for (const disk of initial?.machine.disks ?? []) disks.add(disk);

  const field = (label: string, input: HTMLElement, ...after: (Node | string)[]) =>
    element("div", { class: "field" }, element("label", { for: input.id }, label), input, ...after);
  const kernel = element(
    "details",
    initial?.machine.kernel ? { open: true } : {},
    element("summary", {}, "Kernel without a boot loader"),
    media.kernel.root,
    media.initrd.root,
    element(
      "div",
      { class: "media-field" },
      element("label", { for: commandLine.id }, "Command line"),
      commandLine,
    ),
  );
  const root = element(
    "div",
    { class: "machine-form" },
    element("div", { class: "media-field" }, element("label", { for: name.id }, "Name"), name),
    media.cdrom.root,
    media.floppy.root,
    disks.root,
    kernel,
    element(
      "div",
      { class: "machine-options" },
      field("Disks hang on", bus),
      field("Boot from", boot),
      field("Memory (MiB)", memory),
      element(
        "label",
        { class: "check", for: acpi.id },
        acpi,
        " ACPI, APIC and MSI-X (current systems; old ones may not like it)",
      ),
    ),
  );
  return {
    root,
    async take(files) {
      for (const file of files) {
        const role = await guessRole(file, file.name);
        if (role === "disk") disks.addFile(file);
        else media[role].set({ kind: "file", name: file.name, blob: file });
        if (role === "kernel" || role === "initrd") kernel.open = true;
        if (name.value === "")
          name.value = file.name.replace(/\.(iso|img|qcow2?|raw|bin|gz)$/i, "").slice(0, 80);
      }
    },
    async value(catalogue, transfer) {
      const memoryMiB = Number(memory.value);
      if (!Number.isInteger(memoryMiB) || memoryMiB < MEMORY.least || memoryMiB > MEMORY.most) {
        throw new Error(`Memory must be a whole number from ${MEMORY.least} to ${MEMORY.most} MiB.`);
      }
      if (!/^[\x20-\x7e]*$/.test(commandLine.value)) {
        throw new Error("The kernel’s command line takes printable ASCII characters only.");
      }
      const called = name.value.trim() || "My machine";
      const sources = {
        cdrom: media.cdrom.value(),
        floppy: media.floppy.value(),
        kernel: media.kernel.value(),
        initrd: media.initrd.value(),
      };
      const made = await disks.value(catalogue, called, transfer);
      if (!made) return undefined;
      const machine: OwnMachine = {
        name: called,
        ...sources,
        commandLine: commandLine.value.trim(),
        disks: made,
        bus: bus.value as DiskBus,
        bootOrder: boot.value.split(",") as BootDevice[],
      };
      const problem = problemOf(machine);
      if (problem !== undefined) throw new Error(problem);
      return { machine, memoryMiB, interrupts: acpi.checked ? "msix" : "intx" };
    },
  };
}

function select(
  id: string,
  choices: readonly (readonly [string, string])[],
  value: string,
): HTMLSelectElement {
  const made = element(
    "select",
    { id },
    ...choices.map(([each, label]) => element("option", { value: each }, label)),
  );
  made.value = value;
  if (made.value !== value)
    made.append(element("option", { value, selected: true }, value.replaceAll(",", ", ")));
  return made;
}
