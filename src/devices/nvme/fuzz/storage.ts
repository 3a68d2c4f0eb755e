import type { Rig } from "../testing/driver.ts";
import type { Random } from "./random.ts";

/** What goes wrong below the device: requests fail, overtake each other, or are not answered until they are let go. */
export class FuzzedStorage {
  readonly #disks: Rig["disks"];
  readonly #random: Random;
  #isFailing = false;
  #release: (() => void) | undefined;

  constructor(disks: Rig["disks"], random: Random) {
    this.#disks = disks;
    this.#random = random;
  }

  /** For the record. */
  get state(): string {
    return `${this.#isFailing ? "failing" : ""}${this.#release ? " held" : ""}`;
  }

  disturb(): void {
    const random = this.#random;
    if (random.oneIn(2)) {
      if (this.#release) this.letGo();
      else this.#hold();
      return;
    }
    this.#isFailing = random.oneIn(2);
    for (const { faults } of this.#disks) {
      faults.failRate = this.#isFailing ? random.pick([0.2, 1]) : 0;
      faults.reorderTurns = random.below(4);
    }
  }

  #hold(): void {
    const held = new Promise<void>(resolve => {
      this.#release = resolve;
    });
    for (const { faults } of this.#disks) {
      faults.read = () => held;
      faults.commit = () => held;
    }
  }

  /** Requests that were held are answered. */
  letGo(): void {
    if (!this.#release) return;
    for (const { faults } of this.#disks) {
      faults.read = undefined;
      faults.commit = undefined;
    }
    this.#release();
    this.#release = undefined;
  }
}
