/** The backend holds this chunk, or may hold it once the running commit is through. */
export const STORED = 1;
/** Reads as zeroes whatever the backend holds: dropped, the removal not yet committed. */
export const DROPPED = 2;
/** Must be committed: the buffer's content, or the removal if there is no buffer. */
export const DIRTY = 4;
/** Part of the commit under way. */
export const COMMITTING = 8;
/** Used since the CLOCK hand last passed. */
const REFERENCED = 16;
/** First chunk of a read-ahead window: when it is read, the next window is due. */
export const READ_AHEAD_MARK = 32;
/** The backend's journal holds blocks of it, or may: it stays dirty until it was committed as a whole. */
export const JOURNALED = 64;
/** Its end was read without the chunk coming into memory: the next read brings it in. */
export const PASSED = 128;
/** All of its content came with one write, and none of it was read since. */
export const WRITTEN_WHOLE = 256;

/** Buffers of chunks that left memory, kept for the next write: allocating and zeroing a fresh one costs more than the copy. */
const MAX_FREE_BUFFERS = 64;

/**
 * What the cache knows of each chunk: its buffer if it is in memory, its flags, and who needs it to stay. Bounds the
 * number of buffers and evicts by CLOCK (second chance).
 *
 * A chunk without buffer is *missing* if the backend holds it, else it reads as zeroes and needs no memory.
 *
 * The bound holds because all that cannot be evicted is limited: *claimed* chunks (dirty, being committed, or about to
 * be written) to `claimLimit`, chunks pinned for a read to the rest.
 */
export class ChunkTable {
  readonly chunkBytes: number;
  readonly chunkCount: number;
  /** Most chunks in memory. */
  readonly capacity: number;
  /** Most chunks that may ever be claimed at a time. */
  readonly claimLimit: number;
  /** Most chunks that may be claimed at present; at most `claimLimit`. */
  claimTarget: number;
  readonly buffers: (Uint8Array<ArrayBuffer> | undefined)[];
  readonly flags: Uint16Array;

  /** Chunks in memory. */
  resident = 0;
  /** Chunks in memory whose content the backend does not durably have. */
  held = 0;
  /** Chunks held or pinned for a write. */
  claimed = 0;
  /** Chunks pinned for a read. */
  readPinned = 0;
  /** Chunks that take room in the backend or in memory. */
  allocated = 0;

  readonly #readPins: Uint16Array;
  readonly #writePins: Uint16Array;
  /** The places for chunks in memory, -1 where there is none; `#place` is each chunk's index in it. */
  readonly #clock: Int32Array;
  readonly #place: Int32Array;
  /** A stack of the empty places, the one emptied last on top: a new chunk goes where the hand has just been. */
  readonly #empty: Int32Array;
  #hand = 0;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  constructor(chunkBytes: number, chunkCount: number, capacity: number, claimLimit: number) {
    this.chunkBytes = chunkBytes;
    this.chunkCount = chunkCount;
    this.capacity = capacity;
    this.claimLimit = claimLimit;
    this.claimTarget = claimLimit;
    this.buffers = new Array(chunkCount).fill(undefined);
    this.flags = new Uint16Array(chunkCount);
    this.#readPins = new Uint16Array(chunkCount);
    this.#writePins = new Uint16Array(chunkCount);
    this.#clock = new Int32Array(capacity).fill(-1);
    this.#empty = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#place = new Int32Array(chunkCount);
  }

  /** Notes at opening that the backend holds a chunk. */
  addStored(chunk: number): void {
    this.flags[chunk] |= STORED;
    this.allocated += 1;
  }

  isMissing(chunk: number): boolean {
    return this.buffers[chunk] === undefined && (this.flags[chunk] & (STORED | DROPPED)) === STORED;
  }

  isClaimed(chunk: number): boolean {
    return this.#writePins[chunk] > 0 || this.isHeld(chunk);
  }

  /** Whether so many more chunks may be claimed. A request beyond the present limit only has to fit the fixed one. */
  mayClaim(more: number): boolean {
    return this.claimed + more <= (more > this.claimTarget ? this.claimLimit : this.claimTarget);
  }

  isHeld(chunk: number): boolean {
    return (this.flags[chunk] & (DIRTY | COMMITTING)) !== 0 && this.buffers[chunk] !== undefined;
  }

  /** Marks a chunk as used, for CLOCK. */
  touch(chunk: number): void {
    this.flags[chunk] = (this.flags[chunk] | REFERENCED) & ~WRITTEN_WHOLE;
  }

  setFlags(chunk: number, set: number, clear: number): void {
    const held = this.isHeld(chunk);
    this.flags[chunk] = (this.flags[chunk] & ~clear) | set;
    this.#countHeld(chunk, held);
  }

  /** Puts a buffer in place for a chunk that has none. The caller made room. */
  install(chunk: number, buffer: Uint8Array<ArrayBuffer>): void {
    if ((this.flags[chunk] & (STORED | DROPPED)) !== STORED) this.allocated += 1;
    const held = this.isHeld(chunk);
    this.buffers[chunk] = buffer;
    this.flags[chunk] = (this.flags[chunk] & ~(DROPPED | PASSED | WRITTEN_WHOLE)) | REFERENCED;
    const place = this.#empty[this.capacity - this.resident - 1];
    this.#place[chunk] = place;
    this.#clock[place] = chunk;
    this.resident += 1;
    this.#countHeld(chunk, held);
  }

  /** A buffer to install: zeroed, or with arbitrary content when all of it will be overwritten. */
  newBuffer(zeroed: boolean): Uint8Array<ArrayBuffer> {
    const buffer = this.#free.pop();
    if (!buffer) return new Uint8Array(this.chunkBytes);
    return zeroed ? buffer.fill(0) : buffer;
  }

  /**
   * Makes the chunk read as zeroes. Returns whether a removal must be committed; then it is flagged DROPPED and the
   * caller marks it dirty. With `always` the removal is asked for even if the backend never saw the chunk.
   */
  drop(chunk: number, always: boolean): boolean {
    const flags = this.flags[chunk];
    const inMemory = this.buffers[chunk] !== undefined;
    if (inMemory || (flags & (STORED | DROPPED)) === STORED) this.allocated -= 1;
    if (inMemory) this.#removeBuffer(chunk);
    if ((flags & STORED) === 0 && !always) {
      this.flags[chunk] = flags & ~DIRTY;
      return false;
    }
    this.flags[chunk] |= STORED | DROPPED;
    return true;
  }

  /** Notes that the backend no longer holds a dropped chunk; it may have been written anew meanwhile. */
  removed(chunk: number): void {
    this.flags[chunk] &= ~(STORED | DROPPED);
  }

  /**
   * Evicts until `count` more buffers fit. Spares the chunks `first`…`last`, which the caller is about to use.
   * Returns false, having evicted what it could, when too much is claimed or pinned.
   */
  makeRoom(count: number, first: number, last: number): boolean {
    const target = this.capacity - count;
    // Two turns of the hand: the first may only take away second chances.
    for (let steps = 2 * this.capacity; this.resident > target; steps -= 1) {
      if (steps === 0) return false;
      const chunk = this.#clock[this.#hand];
      this.#hand = this.#hand + 1 === this.capacity ? 0 : this.#hand + 1;
      if (chunk < 0) continue;
      const flags = this.flags[chunk];
      if (
        (chunk >= first && chunk <= last) ||
        flags & (DIRTY | COMMITTING) ||
        this.#readPins[chunk] > 0 ||
        this.#writePins[chunk] > 0
      ) {
        continue;
      }
      if (flags & REFERENCED) this.flags[chunk] = flags & ~REFERENCED;
      else this.#removeBuffer(chunk);
    }
    return target >= 0;
  }

  /** Takes a chunk out of memory that came with one write, if its content is durable and nobody needs it here. */
  releaseWritten(chunk: number): void {
    const flags = this.flags[chunk];
    if ((flags & WRITTEN_WHOLE) === 0 || flags & (DIRTY | COMMITTING) || !this.buffers[chunk]) return;
    if (this.#readPins[chunk] === 0 && this.#writePins[chunk] === 0) this.#removeBuffer(chunk);
  }

  pinForRead(chunk: number): void {
    if (this.#readPins[chunk]++ === 0) this.readPinned += 1;
  }

  unpinForRead(chunk: number): void {
    if (--this.#readPins[chunk] === 0) this.readPinned -= 1;
  }

  isReadPinned(chunk: number): boolean {
    return this.#readPins[chunk] > 0;
  }

  pinForWrite(chunk: number): void {
    if (!this.isClaimed(chunk)) this.claimed += 1;
    this.#writePins[chunk] += 1;
  }

  unpinForWrite(chunk: number): void {
    this.#writePins[chunk] -= 1;
    if (!this.isClaimed(chunk)) this.claimed -= 1;
  }

  #countHeld(chunk: number, before: boolean): void {
    const after = this.isHeld(chunk);
    if (after === before) return;
    const change = after ? 1 : -1;
    this.held += change;
    if (this.#writePins[chunk] === 0) this.claimed += change;
  }

  /** Takes the buffer away; whether the chunk counts as allocated is the caller's business. */
  #removeBuffer(chunk: number): void {
    const held = this.isHeld(chunk);
    const buffer = this.buffers[chunk]!;
    this.buffers[chunk] = undefined;
    this.#countHeld(chunk, held);
    if (this.#free.length < MAX_FREE_BUFFERS) this.#free.push(buffer);
    this.resident -= 1;
    const place = this.#place[chunk];
    this.#clock[place] = -1;
    this.#empty[this.capacity - this.resident - 1] = place;
  }
}
