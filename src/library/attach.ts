import type { V86 } from "v86";
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import { MAX_NAMESPACES } from "../devices/nvme/shared_state.ts";
import { isShared } from "../devices/shared_buffer.ts";
import type { InterruptKind, ServingMode } from "../machine/api.ts";
import type { GuestRam, SharedDevices } from "../machine/protocol.ts";
import { isServedByVcpu } from "../machine/serve_here.ts";
import { isStronglyOrderedHost } from "../machine/strongly_ordered.ts";
import { checkSeams, type V86Emulator } from "../machine/v86/seams.ts";
import type { PlacedDisk } from "./attached_disks.ts";
import { type Attachment, DeviceAttachment, Events } from "./attachment.ts";
import { type DiskOptions, isBuiltIn } from "./backends.ts";
import type { DiskHost, DiskRequest } from "./disk_host.ts";
import { connectIothread, type DiskThread, useThisThread } from "./disk_thread.ts";
import { GuestSide } from "./guest_side.ts";
import { Monitor } from "./monitor.ts";
import type { AttachOptions, NvmeOptions, VirtioOptions } from "./options.ts";
import { offerBackend } from "./remote_backend.ts";

/**
 * Plugs an NVMe controller into a machine. Call it in the thread that the V86 lives in, a page's main thread or a worker,
 * before the guest runs: make the V86 with `autostart: false`, and start it with `run()` once the promise has resolved.
 * Waits until the emulator is loaded.
 *
 * It takes PCI device 0Eh on bus 0, and the V86's loop: v86's own is back after {@link Attachment.dispose}. v86's saved
 * states know nothing of the device.
 *
 * Rejects with an Error whose message says what is wrong and what to do: options that do not go together, a version of v86
 * that is not the supported one, a machine that runs or has an attachment already; with StorageError when a disk cannot be
 * opened.
 */
export function attachNvme(emulator: V86, options: NvmeOptions): Promise<Attachment> {
  const { namespaces, shadowDoorbells = "dbbuf" } = options;
  if (namespaces.length < 1 || namespaces.length > MAX_NAMESPACES) {
    return Promise.reject(
      new RangeError(
        `A controller has 1 to ${MAX_NAMESPACES} namespaces, and these are ${namespaces.length}.`,
      ),
    );
  }
  const disks = namespaces.map((disk, i) => ({ ...disk, place: i + 1 }));
  return attach(emulator, { ...options, disks, shadowDoorbells });
}

/**
 * Plugs a virtio-blk or virtio-scsi device into a machine, on the same storage and event loop as the NVMe controller. It takes
 * PCI device 0Fh. Else as {@link attachNvme}.
 */
export function attachVirtio(emulator: V86, options: VirtioOptions): Promise<Attachment> {
  const { type, disk, eventIdx = true } = options;
  if (type !== "block" && type !== "scsi") {
    return Promise.reject(new RangeError(`There is no virtio device of the type "${String(type)}" here.`));
  }
  return attach(emulator, {
    ...options,
    disks: [{ ...disk, place: type }],
    shadowDoorbells: eventIdx ? "dbbuf" : "off",
  });
}

interface Plan extends AttachOptions {
  readonly disks: readonly (DiskOptions & { readonly place: PlacedDisk["place"] })[];
  readonly shadowDoorbells: ShadowExtension;
}

/** What the machine allows, or the options say. */
interface Choice {
  readonly serving: ServingMode;
  readonly interrupts: InterruptKind;
}

/** Machines that have an attachment. */
const taken = new WeakSet<object>();

async function attach(v86: V86, plan: Plan): Promise<Attachment> {
  const emulator = v86 as unknown as V86Emulator;
  if (taken.has(emulator)) {
    throw new Error(
      "This machine has an attachment already: a V86 takes one at a time. Dispose of it first.",
    );
  }
  taken.add(emulator);
  const events = new Events();
  let thread: (DiskThread & { readonly host?: DiskHost }) | undefined;
  try {
    await loaded(emulator);
    const choice = choose(emulator, plan);
    thread = isServedByVcpu(choice.serving)
      ? useThisThread()
      : await connectIothread(error => events.emit("error", error), plan.startIothread);
    const stolen = () =>
      events.emit("error", new Error("Another tab has taken a disk of this machine away."));
    const { api, answer, host } = thread;
    const virtio = await answer(api.open(requestsOf(plan, host !== undefined), stolen));
    refuseRunning(emulator);
    const { shadowDoorbells, haltPollMaxUs = 200 } = plan;
    const guest = new GuestSide({
      ...choice,
      emulator,
      shadowDoorbells,
      haltPollMaxUs,
      virtio,
      host,
      onStage: stage => events.emit("stage", stage),
      onReset: () => events.emit("reset"),
    });
    const source = { devices: devicesOf(guest), ram: ramOf(guest) };
    const attachment = new DeviceAttachment({
      ...choice,
      shadowDoorbells,
      guest,
      thread,
      monitor: new Monitor({ ...source, memory: guest.memory }),
      monitorSource: isShared(source.ram.buffer) ? source : undefined,
      events,
      released: () => taken.delete(emulator),
    });
    if (!host) {
      try {
        await answer(
          api.serve({
            ...source,
            pollMaxUs: choice.serving === "iothread+poll" ? (plan.pollMaxUs ?? 1000) : 0,
            stronglyOrderedHost: await isStronglyOrderedHost(),
          }),
        );
      } catch (error) {
        guest.end();
        throw error;
      }
    }
    return attachment;
  } catch (error) {
    taken.delete(emulator);
    await thread?.answer(thread.api.close()).catch(() => {});
    thread?.terminate();
    throw error;
  }
}

/** Resolves when the machine's devices exist. */
function loaded(emulator: V86Emulator): Promise<void> {
  if (emulator.v86?.cpu?.devices?.pci) return Promise.resolve();
  return new Promise(resolve => emulator.add_listener("emulator-loaded", () => resolve()));
}

/** Throws what is wrong with the machine, or with what is wanted of it. */
function choose(emulator: V86Emulator, plan: AttachOptions): Choice {
  checkSeams(emulator, { sharedMemory: false, serialPorts: false, console: false });
  refuseRunning(emulator);
  const { cpu } = emulator.v86;
  const shared = isShared(cpu.wasm_memory.buffer);
  const { serving = shared ? "iothread+poll" : "mmio" } = plan;
  if (!["mmio", "mainloop", "iothread", "iothread+poll"].includes(serving)) {
    throw new RangeError(`There is no serving mode "${serving}".`);
  }
  if (!isServedByVcpu(serving) && !shared) {
    throw new Error(
      `The serving mode "${serving}" needs guest RAM that another thread can be given: make the V86 with ` +
        '...sharedMemory(urlOfV86Wasm), on a page that is cross-origin isolated. "mmio" and "mainloop" do without.',
    );
  }
  const hasApic = cpu.acpi_enabled.length > 0 && acpiEnabled(emulator);
  const { interrupts = hasApic ? "msix" : "intx" } = plan;
  if (interrupts === "msix" && !hasApic) {
    throw new Error(
      'Messages (interrupts: "msix") need a local APIC: make the V86 with acpi: true, or use "intx".',
    );
  }
  return { serving, interrupts };
}

const acpiEnabled = ({ v86 }: V86Emulator): boolean =>
  (v86.cpu.acpi_enabled as unknown as Uint8Array)[0] !== 0;

function refuseRunning(emulator: V86Emulator): void {
  if (!emulator.v86.running) return;
  throw new Error(
    "The guest runs already: make the V86 with autostart: false, attach, and call run() once that has resolved.",
  );
}

/** What the thread that serves the I/O is to open. */
function requestsOf({ disks }: Plan, isHere: boolean): DiskRequest[] {
  return disks.map(({ place, backend, lbaBytes = 512, cacheBytes }) => ({
    place,
    backend: isBuiltIn(backend) ? absolute(backend) : isHere ? backend : offerBackend(backend),
    lbaBytes,
    cacheBytes,
  }));
}

/** Addresses are the page's: a worker has another one. */
function absolute<T extends Extract<DiskOptions["backend"], { readonly kind: string }>>(disk: T): T {
  if (disk.kind !== "http") return disk;
  const resolve = (url: string) => new URL(url, globalThis.location?.href).href;
  return {
    ...disk,
    url: resolve(disk.url),
    ...(disk.manifestUrl !== undefined && { manifestUrl: resolve(disk.manifestUrl) }),
  };
}

const devicesOf = ({ states: { signals, nvme, virtio } }: GuestSide): SharedDevices => ({
  signals: signals.buffer,
  nvme: nvme.buffer,
  ...(virtio && { virtio: virtio.buffer }),
});

const ramOf = ({ memory: { bytes, byteLength } }: GuestSide): GuestRam => ({
  buffer: bytes.buffer as SharedArrayBuffer,
  byteOffset: bytes.byteOffset,
  byteLength,
});
