import type { DiskFiles, SyncFile } from "../opfs/sync_file.ts";

/** How much of a write a crash keeps or loses as a whole, in bytes: the smallest sector there is. */
const SECTOR = 512;

interface Operation {
  /** Undefined for a truncation. */
  readonly data?: Uint8Array<ArrayBuffer>;
  readonly at: number;
}

/** Thrown by every operation from the crash on. */
export class Crash extends Error {}

/** A file in memory, for tests, that remembers which of its changes were not flushed yet. */
export class CrashingFile implements SyncFile {
  /** What the program sees. */
  #content: Uint8Array<ArrayBuffer>;
  /** What is durable. */
  #durable: Uint8Array<ArrayBuffer>;
  #pending: Operation[] = [];
  readonly #before: (operation: "write" | "truncate" | "flush") => void;

  /** `before` is called before each operation that changes something; if it throws, the operation may half happen. */
  constructor(before: (operation: "write" | "truncate" | "flush") => void, content = new Uint8Array()) {
    this.#before = before;
    this.#content = content.slice();
    this.#durable = content.slice();
  }

  read(buffer: Uint8Array<ArrayBuffer>, { at }: { at: number }): number {
    const found = this.#content.subarray(at, at + buffer.length);
    buffer.set(found);
    return found.length;
  }

  write(data: Uint8Array<ArrayBuffer>, { at }: { at: number }): number {
    this.#change("write", { data: data.slice(), at });
    return data.length;
  }

  truncate(byteLength: number): void {
    this.#change("truncate", { at: byteLength });
  }

  getSize(): number {
    return this.#content.length;
  }

  flush(): void {
    this.#before("flush");
    this.#durable = this.#content.slice();
    this.#pending = [];
  }

  close(): void {}

  /** What is found after a crash: of each change that was not flushed, `keeps` decides sector by sector. */
  afterCrash(keeps: () => boolean): Uint8Array<ArrayBuffer> {
    let content = this.#durable;
    for (const { data, at } of this.#pending) {
      if (!data) {
        if (keeps()) content = applied(content, { at });
        continue;
      }
      for (let from = 0; from < data.length; ) {
        const end = Math.min(data.length, from + SECTOR - ((at + from) % SECTOR));
        if (keeps()) content = applied(content, { data: data.subarray(from, end), at: at + from });
        from = end;
      }
    }
    return content;
  }

  #change(name: "write" | "truncate", operation: Operation): void {
    try {
      this.#before(name);
    } catch (error) {
      this.#pending.push(operation); // an operation that fails may have come halfway
      throw error;
    }
    this.#pending.push(operation);
    this.#content = applied(this.#content, operation);
  }
}

/** The three files of a disk, with what they hold in the beginning. */
export function crashingFiles(
  before: (operation: "write" | "truncate" | "flush") => void = () => {},
  contents: readonly Uint8Array<ArrayBuffer>[] = [],
): DiskFiles & { readonly all: readonly CrashingFile[] } {
  const [first, second, data] = [0, 1, 2].map(i => new CrashingFile(before, contents[i]));
  return { index: [first, second], data, all: [first, second, data] };
}

function applied(content: Uint8Array<ArrayBuffer>, { data, at }: Operation): Uint8Array<ArrayBuffer> {
  const length = data ? Math.max(content.length, at + data.length) : at;
  const result = new Uint8Array(length);
  result.set(content.subarray(0, length));
  if (data) result.set(data, at);
  return result;
}
