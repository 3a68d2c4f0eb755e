/**
 * The machine's settings as the page chooses them: defaults, and the URL parameters that change them so that a link or
 * a script can repeat an experiment, e.g. `?memory=512&serving=mmio&shadow=off`. One table says what there is; reading
 * and writing addresses and the form in the page follow it.
 */
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import type {
  BootSource,
  DiskAccess,
  InterruptKind,
  MachineSettings,
  ScratchDevice,
  ServingMode,
  StartKind,
} from "../machine/api.ts";

export const defaultSettings: MachineSettings = {
  diskAccess: "own",
  memoryMiB: 256,
  boot: "kernel",
  start: "snapshot",
  serving: "iothread+poll",
  shadowDoorbells: "dbbuf",
  interrupts: "msix",
  scratch: "nvme",
  pollMaxUs: 1000,
  haltPollMaxUs: 200,
  network: "",
  kernelArguments: "",
};

/** To steal is for a person to decide, or for a script that has looked at who has the disks: no link does it. */
const diskAccesses: readonly DiskAccess[] = ["own", "takeover", "readonly"];
const bootSources: readonly BootSource[] = ["kernel", "disk"];
const startKinds: readonly StartKind[] = ["boot", "snapshot"];
const servingModes: readonly ServingMode[] = ["mmio", "mainloop", "iothread", "iothread+poll"];
const interruptKinds: readonly InterruptKind[] = ["intx", "msix"];
const scratchDevices: readonly ScratchDevice[] = ["nvme", "virtio-blk", "virtio-scsi", "ide"];
const shadowModes: readonly ShadowExtension[] = ["off", "dbbuf", "google"];

/** x86 kernel command lines end at 2048 characters; the machine needs some of them itself. */
const maxKernelArguments = 1024;

/** The longest address of a network relay. */
const maxRelay = 300;

function isRelay(text: string): boolean {
  return text.length <= maxRelay && /^(wss?|wisps?):\/\/[\x21-\x7e]+$/.test(text) && URL.canParse(text);
}

/** What a parameter's text may be. */
export type ParameterKind =
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "integer"; readonly min: number; readonly max: number; readonly unit: string }
  | {
      readonly kind: "text";
      readonly maxLength: number;
      /** What it may be, where that is not all of printable ASCII. */
      readonly words?: string;
    };

/** One URL parameter, and the setting behind it. */
export interface Parameter {
  /** In the address. */
  readonly name: string;
  readonly allowed: ParameterKind;
  /** The setting as the address has it. */
  textOf(settings: MachineSettings): string;
  /** The setting that the text stands for; undefined if that is not allowed. */
  parse(text: string): Partial<MachineSettings> | undefined;
}

/** All of them. */
export const parameters: readonly Parameter[] = [
  oneOf("serving", "serving", servingModes),
  oneOf("shadow", "shadowDoorbells", shadowModes),
  oneOf("interrupts", "interrupts", interruptKinds),
  integer("pollMaxUs", "pollMaxUs", 0, 1_000_000, "µs"),
  integer("haltPollMaxUs", "haltPollMaxUs", 0, 1_000_000, "µs"),
  oneOf("scratch", "scratch", scratchDevices),
  // The initramfs is put at 64 MiB: less than this does not boot.
  integer("memory", "memoryMiB", 96, 2048, "MiB"),
  oneOf("boot", "boot", bootSources),
  oneOf("start", "start", startKinds),
  oneOf("disks", "diskAccess", diskAccesses),
  {
    name: "network",
    allowed: {
      kind: "text",
      maxLength: maxRelay,
      words: "“fetch”, or the address of a relay that begins with wss://, ws://, wisps:// or wisp://",
    },
    textOf: ({ network }) => network,
    parse: text => (text === "" || text === "fetch" || isRelay(text) ? { network: text } : undefined),
  },
  {
    name: "kernel",
    allowed: { kind: "text", maxLength: maxKernelArguments },
    textOf: ({ kernelArguments }) => kernelArguments,
    parse: text =>
      /^[\x20-\x7e]*$/.test(text) && text.length <= maxKernelArguments
        ? { kernelArguments: text.trim() }
        : undefined,
  },
];

/** Why a machine has no network that asks for one. */
export const SHARED_LINE =
  "Ignored network=… in the address: with interrupts=intx the network card and the virtio disk would share an interrupt line, which v86 cannot.";

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
  for (const { name, allowed, parse } of parameters) {
    // The last one counts, so that a script can append to a link.
    const text = search.getAll(name).at(-1);
    if (text === undefined) continue;
    const parsed = parse(text);
    if (parsed) settings = { ...settings, ...parsed };
    else notices.push(`Ignored ${name}=“${shorten(text)}” in the address: allowed is ${phrase(allowed)}.`);
  }
  if (settings.boot === "disk" && settings.kernelArguments !== "") {
    notices.push(
      "Ignored kernel=… in the address: the kernel on the disk is started by its boot loader, with the command line in /boot/grub/grub.cfg.",
    );
  }
  if (settings.network !== "" && settings.interrupts === "intx" && settings.scratch.startsWith("virtio")) {
    settings = { ...settings, network: "" };
    notices.push(SHARED_LINE);
  }
  return { settings, notices };
}

/** The query string, with its “?”, that stands for these settings: what is at its default is left out. */
export function settingsQuery(settings: MachineSettings): string {
  const search = new URLSearchParams();
  for (const { name, textOf } of parameters) {
    const text = textOf(settings);
    if (text !== textOf(defaultSettings)) search.set(name, text);
  }
  const query = search.toString();
  return query === "" ? "" : `?${query}`;
}

/** What is allowed, in words. */
export function phrase(allowed: ParameterKind): string {
  switch (allowed.kind) {
    case "choice":
      return allowed.choices.join(", ");
    case "integer":
      return `a whole number from ${allowed.min} to ${allowed.max} (${allowed.unit})`;
    case "text":
      return allowed.words ?? `up to ${allowed.maxLength} printable ASCII characters`;
  }
}

/** The settings with values of type T. */
type KeysOf<T> = {
  [K in keyof MachineSettings]-?: MachineSettings[K] extends T ? K : never;
}[keyof MachineSettings];

function integer(name: string, key: KeysOf<number>, min: number, max: number, unit: string): Parameter {
  return {
    name,
    allowed: { kind: "integer", min, max, unit },
    textOf: settings => String(settings[key]),
    parse: text => {
      const value = Number(text);
      return /^\d+$/.test(text) && value >= min && value <= max ? { [key]: value } : undefined;
    },
  };
}

function oneOf<K extends KeysOf<string>>(
  name: string,
  key: K,
  choices: readonly MachineSettings[K][],
): Parameter {
  return {
    name,
    allowed: { kind: "choice", choices },
    textOf: settings => settings[key],
    parse: text => {
      // An unescaped + in a query means a space: people write serving=iothread+poll by hand.
      const choice = choices.find(candidate => candidate === text.replaceAll(" ", "+"));
      return choice === undefined ? undefined : { [key]: choice };
    },
  };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
