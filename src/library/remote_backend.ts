/** A BlockBackend in one thread for a disk in another. */
import * as Comlink from "comlink";
import {
  type BlockBackend,
  type ChunkChange,
  type JournalTraits,
  StorageError,
  type StorageErrorKind,
} from "../storage/block_backend.ts";
import { checkChanges, checkChunks } from "../storage/chunk_checks.ts";

/** What is sent in place of the backend. */
export interface RemoteBackend {
  readonly port: MessagePort;
  readonly chunkBytes: number;
  readonly chunkCount: number;
  readonly journal: JournalTraits | undefined;
}

/** An answer: errors lose their class on their way. */
type Answer<T> = { readonly value: T } | { readonly kind: StorageErrorKind; readonly message: string };

interface RemoteCalls {
  list(): Promise<Answer<number[]>>;
  read(chunks: readonly number[]): Promise<Answer<(Uint8Array<ArrayBuffer> | undefined)[]>>;
  commit(changes: readonly ChunkChange[]): Promise<Answer<void>>;
  close(): Promise<Answer<void>>;
}

/** Lets another thread use `backend`; the port is to be transferred. */
export function offerBackend(backend: BlockBackend): RemoteBackend {
  const { port1, port2 } = new MessageChannel();
  const calls: RemoteCalls = {
    list: () => answer(() => backend.list()),
    read: chunks => answer(() => backend.read(chunks)),
    commit: changes => answer(() => backend.commit(changes)),
    close: () => answer(() => backend.close()),
  };
  Comlink.expose(calls, port1);
  const { chunkBytes, chunkCount, journal } = backend;
  return { port: port2, chunkBytes, chunkCount, journal };
}

async function answer<T>(call: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: error instanceof StorageError ? error.kind : "io", message };
  }
}

/** The far end: a backend whose calls go through the port. */
export function useBackend({ port, chunkBytes, chunkCount, journal }: RemoteBackend): BlockBackend {
  const geometry = { chunkBytes, chunkCount, journal };
  const calls = Comlink.wrap<RemoteCalls>(port);
  let closing: Promise<void> | undefined;
  // A port that is closed would never answer.
  const checkOpen = () => {
    if (closing) throw new StorageError("unavailable", "This disk is closed.");
  };
  return {
    ...geometry,
    async list() {
      checkOpen();
      return unwrap(await calls.list());
    },
    async read(chunks) {
      checkOpen();
      checkChunks(geometry, chunks);
      return unwrap(await calls.read(chunks));
    },
    async commit(changes) {
      checkOpen();
      checkChanges(geometry, changes);
      // What is sent is copied before this returns.
      unwrap(await calls.commit(changes));
    },
    close(): Promise<void> {
      closing ??= calls
        .close()
        .then(answer => unwrap<void>(answer))
        .finally(() => port.close());
      return closing;
    },
  };
}

function unwrap<T>(answer: Answer<T>): T {
  if ("kind" in answer) throw new StorageError(answer.kind, answer.message);
  return answer.value;
}
