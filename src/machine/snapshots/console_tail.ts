const KEPT_BYTES = 16384;
const NEWLINE = 0x0a;

/** The end of what the console has shown, so that a restored machine's terminal does not begin empty. */
export class ConsoleTail {
  #parts: Uint8Array[] = [];
  #length = 0;

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    while (this.#length - this.#parts[0].length >= KEPT_BYTES) {
      this.#length -= this.#parts[0].length;
      this.#parts.shift();
    }
  }

  clear(): void {
    this.#parts = [];
    this.#length = 0;
  }

  /** From the beginning of a line on, where something is cut off. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    if (all.length <= KEPT_BYTES) return all;
    const tail = all.subarray(all.length - KEPT_BYTES);
    return tail.slice(tail.indexOf(NEWLINE) + 1);
  }
}
