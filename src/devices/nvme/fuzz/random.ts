/** Repeatable random numbers: the same seed gives the same run. Marsaglia's xorshift, in 32 bits. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Spread over all bits, and never 0, which would stay so.
    this.#state = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^ 0x2545f491 || 1;
    for (let i = 0; i < 8; i++) this.word();
  }

  /** 32 random bits, unsigned. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** From 0 up to `below`. */
  below(below: number): number {
    return Math.floor((this.word() / 2 ** 32) * below);
  }

  /** True in one of `n` cases. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}
