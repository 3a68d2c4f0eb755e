/** A set of numbers that is kept as ranges. Ranges are [start, end); adding and removing them cuts and joins. */
export class ByteRanges {
  /** Start, end, start, end, …, ascending; no two ranges touch. */
  readonly #bounds: number[] = [];

  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }

  add(start: number, end: number): void {
    this.#replace(start, end, 0);
  }

  remove(start: number, end: number): void {
    this.#replace(start, end, 1);
  }

  /** The first number of [start, end) that is in the set. */
  firstWithin(start: number, end: number): number | undefined {
    const next = this.#above(start);
    if (next % 2 === 1) return start;
    const first = this.#bounds[next];
    return first !== undefined && first < end ? first : undefined;
  }

  clear(): void {
    this.#bounds.length = 0;
  }

  /** `parity` of a bound's index that is outside of what the range becomes. */
  #replace(start: number, end: number, parity: 0 | 1): void {
    if (start >= end) return;
    const from = this.#atOrAbove(start);
    const to = this.#above(end);
    const bounds: number[] = [];
    if (from % 2 === parity) bounds.push(start);
    if (to % 2 === parity) bounds.push(end);
    this.#bounds.splice(from, to - from, ...bounds);
  }

  #atOrAbove(value: number): number {
    return this.#search(bound => bound >= value);
  }

  #above(value: number): number {
    return this.#search(bound => bound > value);
  }

  /** Index of the first bound for which `holds`, which it does for all after it. */
  #search(holds: (bound: number) => boolean): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#bounds[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
