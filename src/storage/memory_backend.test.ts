import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend } from "./conformance.ts";
import { MemoryBackend, type MemoryStore } from "./memory_backend.ts";

describeBlockBackend("MemoryBackend", async () => {
  const store: MemoryStore = new Map();
  const open = () => new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT, store);
  return { backend: open(), reopen: async () => open() };
});
