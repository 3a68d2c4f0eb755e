import { MemoryBackend, type MemoryStore } from "./memory_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend } from "./testing/conformance.ts";
import {
  describeJournal,
  JOURNAL_BLOCK_BYTES,
  JOURNAL_CHUNK_BYTES,
  JOURNAL_CHUNK_COUNT,
} from "./testing/journal_conformance.ts";

describeBlockBackend("MemoryBackend", async () => {
  const store: MemoryStore = new Map();
  const open = () => new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT, store);
  return { backend: open(), reopen: async () => open() };
});

describeJournal("MemoryBackend", async () => {
  const store: MemoryStore = new Map();
  const journal = { blockBytes: JOURNAL_BLOCK_BYTES, blockLimit: 4, chunkLimit: 4 };
  const open = () => new MemoryBackend(JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT, store, journal);
  return { backend: open(), reopen: async () => open() };
});
