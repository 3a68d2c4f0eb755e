/**
 * The rows of the table: each is a disk that the guest sees, and who serves it. A row names either an address of the
 * page or arguments of QEMU.
 */
import type { InterruptKind, ScratchDevice, ServingMode } from "../../machine/api.ts";
import { scratchPaths } from "../../machine/scratch.ts";

/** What a row is called in the table and the JSON. */
export interface SystemName {
  /** nvme, virtio-blk, virtio-scsi, ide: in the page. The same with "qemu-" before it: under QEMU. */
  readonly system: string;
  readonly serving: ServingMode;
  /** What the device offers so that its driver may leave doorbells out. */
  readonly extension: "none" | "dbbuf" | "google";
  readonly interrupt: InterruptKind;
}

interface SystemCommon extends SystemName {
  /** Part of `--quick`. */
  readonly quick: boolean;
  /** The guest's path of the disk that is read and overwritten. */
  readonly device: string;
}

/** A row that is measured in the page. */
export interface PageSystem extends SystemCommon {
  readonly kind: "page";
  /** URL parameters (src/app/settings.ts). */
  readonly parameters: Readonly<Record<string, string>>;
  /** False for a device that the page's counters know nothing of. */
  readonly counted: boolean;
}

/** A row that is measured under QEMU. */
export interface QemuSystem extends SystemCommon {
  readonly kind: "qemu";
  /** Arguments that attach the drives `root` (as /dev/nvme0n1) and `scratch`. */
  readonly devices: readonly string[];
}

export type System = PageSystem | QemuSystem;

/** As `--only` and messages have it. */
export function label({ system, serving, extension, interrupt }: SystemName): string {
  return `${system} ${serving} ${extension} ${interrupt}`;
}

type PageOptions = Partial<Pick<PageSystem, "system" | "extension" | "interrupt" | "quick" | "parameters">>;

/** The scratch disk on one of our devices: MSI-X unless told otherwise. */
function ours(scratch: ScratchDevice, serving: ServingMode, options: PageOptions = {}): PageSystem {
  const { system = scratch, extension = "none", interrupt = "msix", quick = false, parameters } = options;
  // For virtio the same parameter is the event index, which is part of any virtio device worth comparing with.
  const shadow = scratch !== "nvme" ? "dbbuf" : extension === "none" ? "off" : extension;
  return {
    kind: "page",
    system,
    serving,
    extension,
    interrupt,
    quick,
    device: scratchPaths[scratch],
    parameters: { scratch, serving, shadow, interrupts: interrupt, ...parameters },
    counted: true,
  };
}

/** v86's own disk, whose work is done in the trapped access. Nothing of ours serves it. */
const ide: PageSystem = {
  kind: "page",
  system: "ide",
  serving: "mmio",
  extension: "none",
  interrupt: "intx",
  quick: true,
  device: scratchPaths.ide,
  parameters: { scratch: "ide", interrupts: "intx" },
  counted: false,
};

const qemuController = (options = "") => ["-device", `nvme,id=ssd,serial=doorbell${options}`];
const qemuRoot = ["-device", "nvme-ns,drive=root,bus=ssd"];

/** With the defaults of QEMU 7.2 where nothing is said: its nvme has Doorbell Buffer Config, its iothread polls. */
function qemu(
  name: SystemName,
  scratch: ScratchDevice,
  quick: boolean,
  ...devices: readonly string[]
): QemuSystem {
  return { kind: "qemu", ...name, quick, device: scratchPaths[scratch], devices };
}

const qemuNvme = (system: string, serving: ServingMode, ioeventfd: "on" | "off", quick: boolean) =>
  qemu(
    { system, serving, extension: "dbbuf", interrupt: "msix" },
    "nvme",
    quick,
    ...qemuController(`,ioeventfd=${ioeventfd}`),
    ...qemuRoot,
    ...["-device", "nvme-ns,drive=scratch,bus=ssd"],
  );

const qemuVirtioBlk = qemu(
  { system: "qemu-virtio-blk", serving: "iothread+poll", extension: "none", interrupt: "msix" },
  "virtio-blk",
  true,
  ...qemuController(),
  ...qemuRoot,
  ...["-object", "iothread,id=io"],
  ...["-device", "virtio-blk-pci,drive=scratch,iothread=io,disable-legacy=on"],
);

/** Without an iothread, as in the thread. */
const qemuVirtioScsi = qemu(
  { system: "qemu-virtio-scsi", serving: "mainloop", extension: "none", interrupt: "msix" },
  "virtio-scsi",
  false,
  ...qemuController(),
  ...qemuRoot,
  ...["-device", "virtio-scsi-pci,disable-legacy=on", "-device", "scsi-hd,drive=scratch"],
);

/** What `--only` calls the time from a click to the prompt. */
export const CLICK_TO_PROMPT = "click-to-prompt";

/** What users get. */
export const defaultSystem = ours("nvme", "iothread+poll", { extension: "dbbuf", quick: true });

/** In the order in which they are measured: what is compared is next to each other, as a machine's load drifts. */
export const systems: readonly System[] = [
  defaultSystem,
  ours("virtio-blk", "iothread+poll", { quick: true }),
  ours("virtio-scsi", "iothread+poll"),
  ide,
  qemuNvme("qemu-nvme", "mmio", "off", true),
  qemuNvme("qemu-nvme", "mainloop", "on", false),
  qemuVirtioBlk,
  qemuVirtioScsi,
  ours("nvme", "iothread", { extension: "dbbuf", quick: true }),
  ours("nvme", "mainloop", { extension: "dbbuf", quick: true }),
  ours("nvme", "mmio", { extension: "dbbuf", quick: true }),
  ours("nvme", "iothread+poll", { quick: true }),
  ours("nvme", "iothread"),
  ours("nvme", "mainloop"),
  ours("nvme", "mmio"),
  ours("nvme", "iothread+poll", { extension: "google" }),
  ours("nvme", "iothread+poll", { extension: "dbbuf", interrupt: "intx" }),
  ours("nvme", "iothread+poll", {
    system: "nvme-no-halt-poll",
    extension: "dbbuf",
    parameters: { haltPollMaxUs: "0" },
  }),
  ours("virtio-blk", "iothread"),
  ours("virtio-blk", "mainloop"),
  ours("virtio-blk", "mmio"),
  ours("virtio-scsi", "iothread"),
];

/** The rows to measure: all or the quick ones, of those whose label contains one of the texts if there are any. */
export function selectSystems(quick: boolean, only: readonly string[], qemu: boolean): readonly System[] {
  return systems.filter(
    system =>
      // Who names a row wants it, quick or not.
      (only.length > 0 ? only.some(text => label(system).includes(text)) : system.quick || !quick) &&
      (system.kind === "page" || qemu),
  );
}
