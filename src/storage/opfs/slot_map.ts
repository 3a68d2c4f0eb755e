const NONE = 0xffff_ffff;

/** Which slot of the data file holds each chunk, and which slots are free. */
export class SlotMap {
  /** By chunk; NONE for a chunk that does not exist. */
  #slots: Uint32Array<ArrayBuffer>;
  /** By slot: 1 where a chunk is. */
  #used = new Uint8Array(64);
  /** No slot below is free. */
  #firstFree = 0;
  /** Slots up to the last one that is used. */
  #end = 0;

  constructor(chunkCount: number) {
    this.#slots = new Uint32Array(chunkCount).fill(NONE);
  }

  get chunkCount(): number {
    return this.#slots.length;
  }

  /** Slots up to the last one that holds a chunk: what the data file must be long enough for. */
  get end(): number {
    return this.#end;
  }

  grow(chunkCount: number): void {
    const slots = new Uint32Array(chunkCount).fill(NONE);
    slots.set(this.#slots);
    this.#slots = slots;
  }

  slotOf(chunk: number): number | undefined {
    const slot = this.#slots[chunk];
    return slot === NONE ? undefined : slot;
  }

  /** The chunks that exist, ascending. */
  chunks(): number[] {
    const chunks: number[] = [];
    for (const [chunk, slot] of this.#slots.entries()) if (slot !== NONE) chunks.push(chunk);
    return chunks;
  }

  /** The first `count` free slots, ascending; they stay free until a chunk is put there. */
  free(count: number): number[] {
    const slots: number[] = [];
    for (let slot = this.#firstFree; slots.length < count; slot++) {
      if (this.#used[slot]) continue;
      if (slots.length === 0) this.#firstFree = slot;
      slots.push(slot);
    }
    return slots;
  }

  /** Puts a chunk into a slot, or nowhere; frees the one that it was in. False if the slot holds another chunk. */
  place(chunk: number, slot: number | undefined): boolean {
    if (slot !== undefined && this.#used[slot]) return false;
    const old = this.#slots[chunk];
    if (old !== NONE) {
      this.#used[old] = 0;
      this.#firstFree = Math.min(this.#firstFree, old);
    }
    this.#slots[chunk] = slot ?? NONE;
    if (slot !== undefined) {
      if (slot >= this.#used.length) this.#enlarge(slot + 1);
      this.#used[slot] = 1;
      this.#end = Math.max(this.#end, slot + 1);
    }
    while (this.#end > 0 && !this.#used[this.#end - 1]) this.#end -= 1;
    return true;
  }

  #enlarge(slots: number): void {
    const used = new Uint8Array(Math.max(slots, 2 * this.#used.length));
    used.set(this.#used);
    this.#used = used;
  }
}
