/**
 * How long flushing everything may take. Linux gives an NVMe command, Flush included, 30 s before it resets the
 * controller; the rest is left for storage that becomes slower just then.
 */
const FLUSH_MS = 8000;
/** Allowed on any storage. Together with FLUSH_MS also the speed that is assumed as long as none was measured. */
const FLOOR_BYTES = 64 * 1024 * 1024;
/** The share of the newest commit in the average. */
const WEIGHT = 1 / 8;

/**
 * How many chunks may be dirty at present: no more than storage, at the speed of the latest commits, takes 8 s for.
 * What Linux does with the bandwidth of a device in balance_dirty_pages, for the same reason.
 */
export class DirtyLimit {
  /** The limit, in chunks. */
  chunks: number;
  readonly #floor: number;
  readonly #most: number;
  #msPerChunk: number;

  /** `most` is the limit on fast storage, in chunks. */
  constructor(chunkBytes: number, most: number) {
    this.#most = most;
    this.#floor = Math.min(most, Math.max(1, Math.floor(FLOOR_BYTES / chunkBytes)));
    this.chunks = this.#floor;
    this.#msPerChunk = FLUSH_MS / this.#floor;
  }

  /** A commit of so many chunks took so long. Tell it of full ones only: a small one says little of the speed. */
  committed(chunks: number, ms: number): void {
    this.#msPerChunk += WEIGHT * (ms / chunks - this.#msPerChunk);
    const allowed = Math.max(this.#floor, Math.min(this.#most, Math.floor(FLUSH_MS / this.#msPerChunk)));
    // It falls by half of what was committed, so that waiting writers go on, at half the speed, instead of stalling.
    this.chunks = Math.max(allowed, this.chunks - Math.ceil(chunks / 2));
  }
}
