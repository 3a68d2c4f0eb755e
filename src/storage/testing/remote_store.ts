import { type ChunkChange, StorageError, type StorageErrorKind } from "../block_backend.ts";
import type { DiskMetadata, DiskStore, LbaBytes, NewDisk, SeedRecord } from "../disk_store.ts";

export type RemoteState = Pick<DiskStore, "chunkBytes" | "chunkCount" | "metadata" | "isOpen">;

export type Call =
  | { readonly id: number; readonly disk: -1; readonly method: "open"; readonly args: [string, NewDisk?] }
  | {
      readonly id: number;
      readonly disk: number;
      readonly method: "list" | "read" | "commit" | "recordSeed" | "setLbaBytes" | "grow" | "close";
      readonly args: readonly unknown[];
    };

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly state?: RemoteState;
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly kind: StorageErrorKind | undefined;
  };
}

/** A worker that runs opfs_test.worker.ts, and the calls that it has not answered yet. */
export class RemoteStores {
  readonly worker = new Worker(new URL("../opfs/opfs_test.worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      this.#waiting.get(data.id)?.(data);
      this.#waiting.delete(data.id);
    };
  }

  async open(name: string, create?: NewDisk): Promise<RemoteStore> {
    const { value, state } = await this.call(-1, "open", [name, create]);
    return new RemoteStore(this, value as number, state!);
  }

  async call(disk: number, method: Call["method"], args: readonly unknown[]): Promise<Answer> {
    const id = this.#calls++;
    const answer = new Promise<Answer>(resolve => this.#waiting.set(id, resolve));
    this.worker.postMessage({ id, disk, method, args });
    const { error, ...result } = await answer;
    if (error?.kind) throw new StorageError(error.kind, error.message);
    if (error) throw error.name === "RangeError" ? new RangeError(error.message) : new Error(error.message);
    return { ...result, id };
  }
}

/** A disk that an OpfsBackend in a worker serves. */
export class RemoteStore implements DiskStore {
  readonly #stores: RemoteStores;
  readonly #disk: number;
  #state: RemoteState;

  constructor(stores: RemoteStores, disk: number, state: RemoteState) {
    this.#stores = stores;
    this.#disk = disk;
    this.#state = state;
  }

  get chunkBytes(): number {
    return this.#state.chunkBytes;
  }
  get chunkCount(): number {
    return this.#state.chunkCount;
  }
  get metadata(): DiskMetadata {
    return this.#state.metadata;
  }
  get isOpen(): boolean {
    return this.#state.isOpen;
  }
  list(): Promise<number[]> {
    return this.#call("list");
  }
  read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return this.#call("read", chunks);
  }
  commit(changes: readonly ChunkChange[]): Promise<void> {
    return this.#call("commit", changes);
  }
  recordSeed(seed: SeedRecord, generation?: string): Promise<void> {
    return this.#call("recordSeed", seed, generation);
  }
  setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    return this.#call("setLbaBytes", lbaBytes);
  }
  grow(capacityBytes: number): Promise<void> {
    return this.#call("grow", capacityBytes);
  }
  close(): Promise<void> {
    return this.#call("close");
  }

  async #call<T>(method: Exclude<Call["method"], "open">, ...args: unknown[]): Promise<T> {
    const { value, state } = await this.#stores.call(this.#disk, method, args);
    if (state) this.#state = state;
    return value as T;
  }
}
