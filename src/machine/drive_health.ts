import { type HealthRecord, restoreHealth, saveHealth } from "../devices/nvme/health.ts";
import type { SharedState } from "../devices/nvme/shared_state.ts";
import type { Memory } from "./memory.ts";

const KEY = "doorbell.driveHealth";
/** So much of what happened before a crash may be missing in the next SMART log. */
const SAVE_INTERVAL_MS = 5000;

/** The drive's SMART counters, which go on over boots and visits. Lost storage only means that they start anew. */
export class DriveHealth {
  readonly #memory: Memory;
  #shared: SharedState | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** A machine is about to start: before its controller is made. With `keeps` false nothing of it is kept. */
  begin(shared: SharedState, keeps: boolean): void {
    this.save();
    restoreHealth(shared, this.#load());
    this.#shared = keeps ? shared : undefined;
    this.#timer ??= setInterval(() => this.save(), SAVE_INTERVAL_MS);
  }

  save(): void {
    if (!this.#shared) return;
    try {
      this.#memory.setItem(KEY, JSON.stringify(saveHealth(this.#shared)));
    } catch {
      // Storage is full or forbidden: the counters of this run will be missing.
    }
  }

  #load(): HealthRecord {
    try {
      const record: unknown = JSON.parse(this.#memory.getItem(KEY) ?? "[]");
      return Array.isArray(record) ? record : [];
    } catch {
      return [];
    }
  }
}
