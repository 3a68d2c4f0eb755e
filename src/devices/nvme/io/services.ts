import type { IoVector } from "../../../storage/io_vector.ts";
import type { GuestMemory } from "../../guest_memory.ts";
import type { Namespace } from "../namespace.ts";
import type { StatusCode } from "../spec/status.ts";
import type { CopyEngine } from "./copy.ts";
import type { IoRequest } from "./request.ts";
import type { StagingBuffer } from "./staging_buffer.ts";
import type { UncorrectableBlocks } from "./uncorrectable_blocks.ts";

/** What a command may use of the server that runs it. */
export interface IoServices {
  readonly memory: GuestMemory;
  /** The one scatter/gather list, reused: valid until the next await. */
  readonly vector: IoVector;
  /** Room for the blocks of one command, reused: valid until the next await. */
  readonly staging: StagingBuffer;
  readonly copies: CopyEngine;
  readonly namespaces: ReadonlyMap<number, Namespace>;
  /** Blocks that Write Uncorrectable has marked. */
  readonly uncorrectable: UncorrectableBlocks;
  /** False once a reset or an Abort has made the request's answer, and its DMA, unwanted. */
  isCurrent(request: IoRequest): boolean;
  /** Is the volatile write cache on (feature 06h)? */
  readonly writeCacheEnabled: boolean;
  /** For the trace: storage has what the command waited for, its data moves now. */
  traceReady(request: IoRequest): void;
  /** Must follow every DMA into guest memory. */
  dmaWrote(vector: IoVector): void;
  countRead(bytes: number): void;
  countWrite(bytes: number): void;
  /** Blocks that Verify has read, which are data but no read command (section 5.14.1.2). */
  countVerified(bytes: number): void;
  countCopied(bytes: number): void;
}

/** A status at once, where no storage is to be waited for: no promise, no allocation. */
export type IoResult = StatusCode | Promise<StatusCode>;

/** One I/O command: the table of them is what is supported, how it is run, and what the effects log says. */
export interface IoCommand {
  readonly name: string;
  readonly effects: number;
  execute(services: IoServices, request: IoRequest): IoResult;
}
