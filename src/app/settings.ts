/**
 * The machine's settings as the page chooses them: defaults, and the URL parameters that change them so that a link or
 * a script can repeat an experiment, e.g. `?memory=512&serving=mmio&shadow=off`.
 */
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import type {
  BootSource,
  DiskAccess,
  InterruptKind,
  MachineSettings,
  ScratchDevice,
  ServingMode,
} from "../machine/api.ts";

export const defaultSettings: MachineSettings = {
  diskAccess: "own",
  memoryMiB: 256,
  boot: "kernel",
  serving: "iothread+poll",
  shadowDoorbells: "dbbuf",
  interrupts: "msix",
  scratch: "nvme",
  pollMaxUs: 1000,
  haltPollMaxUs: 200,
  kernelArguments: "",
};

/** To steal is for a person to decide, or for a script that has looked at who has the disks: no link does it. */
const diskAccesses: readonly DiskAccess[] = ["own", "takeover", "readonly"];
const bootSources: readonly BootSource[] = ["kernel", "disk"];
const servingModes: readonly ServingMode[] = ["mmio", "mainloop", "iothread", "iothread+poll"];
const interruptKinds: readonly InterruptKind[] = ["intx", "msix"];
const scratchDevices: readonly ScratchDevice[] = ["nvme", "virtio-blk", "virtio-scsi", "ide"];
const shadowModes: readonly ShadowExtension[] = ["off", "dbbuf", "google"];

/** x86 kernel command lines end at 2048 characters; the machine needs some of them itself. */
const maxKernelArguments = 1024;

/** A setting's value, or what would have been allowed. */
type Parsed<T> = { readonly value: T } | { readonly allowed: string };

interface Parameter {
  readonly name: string;
  /** The settings that the text stands for, or a phrase that says what is allowed. */
  parse(text: string): Parsed<Partial<MachineSettings>>;
}

const parameters: readonly Parameter[] = [
  // The initramfs is put at 64 MiB: less than this does not boot.
  integer("memory", 96, 2048, "MiB", memoryMiB => ({ memoryMiB })),
  oneOf("boot", bootSources, boot => ({ boot })),
  oneOf("disks", diskAccesses, diskAccess => ({ diskAccess })),
  oneOf("serving", servingModes, serving => ({ serving })),
  oneOf("shadow", shadowModes, shadowDoorbells => ({ shadowDoorbells })),
  oneOf("interrupts", interruptKinds, interrupts => ({ interrupts })),
  oneOf("scratch", scratchDevices, scratch => ({ scratch })),
  integer("pollMaxUs", 0, 1_000_000, "µs", pollMaxUs => ({ pollMaxUs })),
  integer("haltPollMaxUs", 0, 1_000_000, "µs", haltPollMaxUs => ({ haltPollMaxUs })),
  {
    name: "kernel",
    parse: text =>
      /^[\x20-\x7e]*$/.test(text) && text.length <= maxKernelArguments
        ? { value: { kernelArguments: text.trim() } }
        : { allowed: `up to ${maxKernelArguments} printable ASCII characters` },
  },
];

/** The names of the URL parameters, for help texts. */
export const settingParameters: readonly string[] = parameters.map(parameter => parameter.name);

export interface ParsedSettings {
  readonly settings: MachineSettings;
  /** One sentence for each value that was ignored. */
  readonly notices: readonly string[];
}

/** Reads settings from a query string. A bad value is left at its default and named in a notice; nothing throws. */
export function parseSettings(query: string): ParsedSettings {
  const search = new URLSearchParams(query);
  const notices: string[] = [];
  let settings = defaultSettings;
  for (const { name, parse } of parameters) {
    // The last one counts, so that a script can append to a link.
    const text = search.getAll(name).at(-1);
    if (text === undefined) continue;
    const parsed = parse(text);
    if ("value" in parsed) settings = { ...settings, ...parsed.value };
    else notices.push(`Ignored ${name}=“${shorten(text)}” in the address: allowed is ${parsed.allowed}.`);
  }
  if (settings.boot === "disk" && settings.kernelArguments !== "") {
    notices.push(
      "Ignored kernel=… in the address: the kernel on the disk is started by its boot loader, with the command line in /boot/grub/grub.cfg.",
    );
  }
  return { settings, notices };
}

function integer(
  name: string,
  min: number,
  max: number,
  unit: string,
  set: (value: number) => Partial<MachineSettings>,
): Parameter {
  return {
    name,
    parse: text => {
      const value = Number(text);
      return /^\d+$/.test(text) && value >= min && value <= max
        ? { value: set(value) }
        : { allowed: `a whole number from ${min} to ${max} (${unit})` };
    },
  };
}

function oneOf<T extends string>(
  name: string,
  choices: readonly T[],
  set: (value: T) => Partial<MachineSettings>,
): Parameter {
  return {
    name,
    parse: text => {
      // An unescaped + in a query means a space: people write serving=iothread+poll by hand.
      const choice = choices.find(candidate => candidate === text.replaceAll(" ", "+"));
      return choice === undefined ? { allowed: choices.join(", ") } : { value: set(choice) };
    },
  };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
