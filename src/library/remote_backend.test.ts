import { expect, it } from "vitest";
import { type BlockBackend, StorageError } from "../storage/block_backend.ts";
import { MemoryBackend, type MemoryStore } from "../storage/memory_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend } from "../storage/testing/conformance.ts";
import {
  describeJournal,
  JOURNAL_BLOCK_BYTES,
  JOURNAL_CHUNK_BYTES,
  JOURNAL_CHUNK_COUNT,
} from "../storage/testing/journal_conformance.ts";
import { offerBackend, useBackend } from "./remote_backend.ts";

/** As if the far end were another thread: all goes through the port. */
const far = (backend: BlockBackend) => useBackend(offerBackend(backend));

describeBlockBackend("a backend in another thread", async () => {
  const store: MemoryStore = new Map();
  const open = () => far(new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT, store));
  return { backend: open(), reopen: async () => open() };
});

describeJournal("a backend in another thread", async () => {
  const store: MemoryStore = new Map();
  const journal = { blockBytes: JOURNAL_BLOCK_BYTES, blockLimit: 4, chunkLimit: 4 };
  const open = () => far(new MemoryBackend(JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT, store, journal));
  return { backend: open(), reopen: async () => open() };
});

it("hands on why a backend refused, and takes what is no StorageError for a failure of storage", async () => {
  const failing = (error: unknown): BlockBackend => ({
    chunkBytes: 4096,
    chunkCount: 1,
    list: async () => [],
    read: async () => [],
    commit: () => Promise.reject(error),
    close: async () => {},
  });
  const full = far(failing(new StorageError("no-space", "The shelf is full.")));
  await expect(full.commit([])).rejects.toMatchObject({ kind: "no-space", message: "The shelf is full." });
  await full.close();
  const broken = far(failing("a string"));
  await expect(broken.commit([])).rejects.toMatchObject({ kind: "io", message: "a string" });
  await broken.close();
});
