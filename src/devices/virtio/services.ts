import type { BlockDevice } from "../../storage/block_device.ts";
import type { IoVector } from "../../storage/io_vector.ts";
import type { VirtioDiskInfo } from "./disk_info.ts";
import type { VirtioRequest } from "./request.ts";

/** What a request may use of the server that runs it. */
export interface VirtioServices {
  readonly info: VirtioDiskInfo;
  readonly disk: BlockDevice;
  /** The chain mapped last, reused: valid until the next await. */
  readonly readable: IoVector;
  readonly writable: IoVector;
  /** Feature word 0 as negotiated. */
  readonly features: number;
  readonly senseSize: number;
  readonly cdbSize: number;
  /** Maps the request's chain again, after an await. False if the driver has changed it. */
  remap(request: VirtioRequest): boolean;
  /** False once a reset, or an abort, has made the request's answer, and its DMA, unwanted. */
  isCurrent(request: VirtioRequest): boolean;
  /** Requests that wait for storage. */
  readonly waiting: ReadonlySet<VirtioRequest>;
  /** Answers a waiting request now, with `written` bytes; what storage says later is dropped. */
  finishEarly(request: VirtioRequest, written: number): void;
  /** Must follow every DMA into guest memory. */
  dmaWrote(vector: IoVector): void;
  dmaWroteRange(start: number, end: number): void;
  writeByte(address: number, value: number): void;
  writeBytes(address: number, bytes: Uint8Array): void;
  countRead(bytes: number): void;
  countWrite(bytes: number): void;
  /** What kind of command it was, once it is answered. */
  countCommand(kind: "io" | "flush" | "admin", failed: boolean): void;
}

/** Bytes written to the chain, for the used element; or BROKEN. */
export type Written = number;

/** The chain cannot hold what the device type wants in it: the virtqueue is broken. */
export const BROKEN = -1;

/** A device type on the serving side. */
export interface RequestHandler {
  /** Serves the request whose chain is mapped. Answers at once when no storage is to be waited for. */
  execute(request: VirtioRequest): Written | Promise<Written>;
  /** Answers a request that failed because of a bug of ours. */
  fail(request: VirtioRequest): Written;
  /** The device was reset: nothing of its former life counts any more. */
  reset(): void;
}
