/**
 * MSI-X of a PCI function (PCI 3.0, section 6.8.2): the vector table and pending bits, which lie in its BAR, and the
 * delivery of a message to the local APIC.
 */
const ENTRY_WORDS = 4;
const ENTRY_DATA = 2;
const ENTRY_CONTROL = 3;
const MASKED = 1;

/** Message Control, in the upper half of the capability's first word. */
const ENABLE = 1 << 31;
const FUNCTION_MASK = 1 << 30;

/** Where the structures lie in the BAR. */
export const MSIX_TABLE_OFFSET = 0x10000;
export const MSIX_PBA_OFFSET = 0x18000;
const CAPABILITY_ID = 0x11;

export interface MsixState {
  readonly table: readonly number[];
  readonly pending: readonly number[];
}

export class MsixTable {
  readonly #table: Int32Array;
  readonly #pending: Int32Array;
  readonly #readControl: () => number;
  readonly #deliver: (vector: number) => void;
  #anyPending = false;

  /**
   * `readControl` reads the capability's first word, live: v86 lets nobody watch writes to it. `deliver` sends an
   * interrupt vector to the local APIC.
   */
  constructor(vectors: number, readControl: () => number, deliver: (vector: number) => void) {
    this.#table = new Int32Array(vectors * ENTRY_WORDS);
    this.#pending = new Int32Array((vectors + 31) >> 5);
    this.#readControl = readControl;
    this.#deliver = deliver;
    this.reset();
  }

  /** As at power-on: all vectors are masked, none is pending. */
  reset(): void {
    this.#table.fill(0);
    for (let i = ENTRY_CONTROL; i < this.#table.length; i += ENTRY_WORDS) this.#table[i] = MASKED;
    this.#pending.fill(0);
    this.#anyPending = false;
  }

  /** The capability's bytes without the pointer to the next one. Table and pending bits are in BAR 0. */
  static capability(vectors: number): Uint8Array {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    bytes[0] = CAPABILITY_ID;
    view.setUint16(2, vectors - 1, true);
    view.setUint32(4, MSIX_TABLE_OFFSET, true);
    view.setUint32(8, MSIX_PBA_OFFSET, true);
    return bytes;
  }

  /** For a snapshot: table and pending bits. */
  save(): MsixState {
    return { table: [...this.#table], pending: [...this.#pending] };
  }

  restore({ table, pending }: MsixState): void {
    this.#table.set(table.slice(0, this.#table.length));
    this.#pending.set(pending.slice(0, this.#pending.length));
    this.#anyPending = this.#pending.some(bits => bits !== 0);
  }

  get enabled(): boolean {
    return (this.#readControl() & ENABLE) !== 0;
  }

  /** Is this offset in the BAR ours? */
  owns(offset: number): boolean {
    return offset >= MSIX_TABLE_OFFSET;
  }

  readRegister(offset: number): number {
    if (offset >= MSIX_PBA_OFFSET) return this.#pending[(offset - MSIX_PBA_OFFSET) >> 2] ?? 0;
    return this.#table[(offset - MSIX_TABLE_OFFSET) >> 2] ?? 0;
  }

  writeRegister(offset: number, value: number): void {
    const word = (offset - MSIX_TABLE_OFFSET) >> 2;
    if (word < this.#table.length) this.#table[word] = value;
  }

  /** A device's interrupt. At safe points only. A masked vector becomes pending. */
  raise(vector: number): void {
    this.#pending[vector >> 5] |= 1 << (vector & 31);
    this.#anyPending = true;
    this.deliverPending();
  }

  /** Sends what is pending and not masked (any more). At safe points only. */
  deliverPending(): void {
    if (!this.#anyPending) return;
    const control = this.#readControl();
    if ((control & ENABLE) === 0 || (control & FUNCTION_MASK) !== 0) return;
    this.#anyPending = false;
    for (let vector = 0; vector < this.#table.length / ENTRY_WORDS; vector++) {
      const bit = 1 << (vector & 31);
      if ((this.#pending[vector >> 5] & bit) === 0) continue;
      const entry = vector * ENTRY_WORDS;
      if ((this.#table[entry + ENTRY_CONTROL] & MASKED) !== 0) {
        this.#anyPending = true;
        continue;
      }
      this.#pending[vector >> 5] &= ~bit;
      // One CPU, fixed delivery: the message's address says nothing that matters, its data holds the vector.
      this.#deliver(this.#table[entry + ENTRY_DATA] & 0xff);
    }
  }
}
