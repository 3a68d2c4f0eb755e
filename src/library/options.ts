import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import type { InterruptKind, ServingMode } from "../machine/api.ts";
import type { DiskOptions } from "./backends.ts";

/** What NVMe and virtio have in common. */
export interface AttachOptions {
  /**
   * Which thread serves the guest's I/O, and what wakes it:
   *
   * - `"mmio"`: the thread that runs the guest, within the trapped register write
   * - `"mainloop"`: that thread, in the next turn of its event loop
   * - `"iothread"`: a worker of its own, which sleeps in between
   * - `"iothread+poll"`: the same, and it looks for work for a while before it sleeps
   *
   * Those with an iothread need shared guest RAM ({@link sharedMemory}). Default: `"iothread+poll"` where the guest's RAM is
   * shared, else `"mmio"`.
   */
  readonly serving?: ServingMode;
  /**
   * By the interrupt pin, or by messages (MSI-X), for which the V86 must have been made with `acpi: true`. Default: messages
   * where that is so. v86 does not OR the levels of devices that share a pin's interrupt: prefer messages when the guest
   * has a network card.
   */
  readonly interrupts?: InterruptKind;
  /** Longest busy wait of the iothread before it sleeps, in microseconds, with `"iothread+poll"`. Default: 1000. */
  readonly pollMaxUs?: number;
  /** Longest busy wait for a completion while the guest is halted, in microseconds. Default: 200. */
  readonly haltPollMaxUs?: number;
  /**
   * Starts the iothread's worker. Default: `new Worker(new URL("./iothread.js", import.meta.url), { type: "module" })`,
   * which is right wherever that file of the package lies beside the main entry, and for bundlers that know the form.
   */
  readonly startIothread?: () => Worker;
}

export interface NvmeOptions extends AttachOptions {
  /** The namespaces, from namespace id 1 on: 1 to 16. Linux finds them as /dev/nvme0n1 and so on. */
  readonly namespaces: readonly DiskOptions[];
  /**
   * Shadow doorbells: none, NVMe's Doorbell Buffer Config, or the vendor extension of Google that it came from (then the
   * PCI vendor is Google's). Default: `"dbbuf"`.
   */
  readonly shadowDoorbells?: ShadowExtension;
}

export interface VirtioOptions extends AttachOptions {
  /** `"block"` is virtio-blk (/dev/vda in Linux), `"scsi"` virtio-scsi (/dev/sda). */
  readonly type: "block" | "scsi";
  readonly disk: DiskOptions;
  /** Offer VIRTIO_F_EVENT_IDX, which is to virtio what shadow doorbells are to NVMe. Default: true. */
  readonly eventIdx?: boolean;
}
