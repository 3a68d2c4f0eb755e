/**
 * Hands the guest's output to the terminal no faster than the terminal can draw it. A guest that prints without end
 * must neither fill memory nor lock up the page: what waits for too long is skipped, and the gap is marked.
 */

/** The terminal as the pacer sees it: `done` is called when the data has been parsed. */
export type WriteSink = (data: Uint8Array | string, done: () => void) => void;

/** One write at a time: large enough to be quick, small enough that a frame fits between two. */
const chunkBytes = 64 * 1024;

export class OutputPacer {
  readonly #write: WriteSink;
  readonly #limit: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #skippedBytes = 0;
  #writing = false;

  constructor(write: WriteSink, limit = 8 * 1024 * 1024) {
    this.#write = write;
    this.#limit = limit;
  }

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // Oldest first: the end of the output, with the prompt, is what the reader needs.
    while (this.#waitingBytes > this.#limit && this.#waiting.length > 1) {
      const dropped = this.#waiting.shift()!.length;
      this.#waitingBytes -= dropped;
      this.#skippedBytes += dropped;
    }
    if (!this.#writing) this.#next();
  }

  /** Forgets what waits, for a guest that was reset. */
  clear(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#skippedBytes = 0;
  }

  #next(): void {
    const data = this.#take();
    if (data === undefined) {
      this.#writing = false;
      return;
    }
    this.#writing = true;
    this.#write(data, () => this.#next());
  }

  #take(): Uint8Array | string | undefined {
    if (this.#skippedBytes > 0) {
      const skipped = (this.#skippedBytes / 1e6).toFixed(1);
      this.#skippedBytes = 0;
      // CAN ends an escape sequence that was cut in two; SGR 0 ends its colours.
      return `\x18\x1b[0m\r\n[${skipped} MB of output skipped]\r\n`;
    }
    if (this.#waiting.length === 0) return undefined;
    const chunk = new Uint8Array(Math.min(chunkBytes, this.#waitingBytes));
    let filled = 0;
    while (filled < chunk.length) {
      const first = this.#waiting[0];
      const part = first.subarray(0, chunk.length - filled);
      chunk.set(part, filled);
      filled += part.length;
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
    }
    this.#waitingBytes -= filled;
    return chunk;
  }
}
