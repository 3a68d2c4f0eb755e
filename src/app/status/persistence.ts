/** Whether the browser keeps the site's data when the computer runs low on space, and how much there is of it. */

/**
 * `kept` until the user clears it · `clearable` when space runs low, as any site's data · `unknown`: the browser does
 * not say.
 */
export type Keeping = "kept" | "clearable" | "unknown";

export interface StorageReport {
  readonly keeping: Keeping;
  /** Bytes that the site takes, and that it may take, as the browser estimates; absent where it does not say. */
  readonly usage?: number;
  readonly quota?: number;
}

/** Remembered over reloads: some browsers ask the user, and nobody is asked twice without wanting it. */
const askedKey = "doorbell.persistentStorageAsked";

export class Persistence {
  readonly #storage: Partial<StorageManager> | undefined;
  readonly #memory: Pick<Storage, "getItem" | "setItem">;

  /** `navigator.storage`, where there is one, and `localStorage`. */
  constructor(storage: Partial<StorageManager> | undefined, memory: Pick<Storage, "getItem" | "setItem">) {
    this.#storage = storage;
    this.#memory = memory;
  }

  /** Whether the browser can be asked at all. */
  get canAsk(): boolean {
    return this.#storage?.persist !== undefined;
  }

  async report(): Promise<StorageReport> {
    const [persisted, estimate] = await Promise.all([
      this.#storage?.persisted?.().catch(() => undefined),
      this.#storage?.estimate?.().catch(() => undefined),
    ]);
    const { usage, quota } = estimate ?? {};
    return {
      keeping: persisted === undefined ? "unknown" : persisted ? "kept" : "clearable",
      ...(usage !== undefined && { usage }),
      ...(quota !== undefined && { quota }),
    };
  }

  /** Asks the browser to keep the data. Resolves to whether it will. */
  async ask(): Promise<boolean> {
    this.#memory.setItem(askedKey, "1");
    return (await this.#storage?.persist?.().catch(() => false)) ?? false;
  }

  /** Asks unless it was asked before, in this visit or an earlier one, or the data is kept anyway. */
  async askOnce(): Promise<void> {
    if (!this.canAsk || this.#memory.getItem(askedKey) !== null) return;
    if ((await this.report()).keeping === "clearable") await this.ask();
  }
}
