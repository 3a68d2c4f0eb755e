import { expect, it } from "vitest";
import { StorageError } from "./block_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend, filled } from "./conformance.ts";
import { FaultBackend } from "./fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "./memory_backend.ts";

const turn = () => new Promise<void>(resolve => setTimeout(resolve, 1));

describeBlockBackend("FaultBackend that only delays", async () => {
  const store: MemoryStore = new Map();
  const memory = () => new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT, store);
  return {
    backend: new FaultBackend(memory(), { commit: () => Promise.resolve(), read: turn }),
    reopen: async () => memory(),
  };
});

it("a failed commit has no effect, and the next one goes through", async () => {
  const backend = new FaultBackend(new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT));
  backend.faults.commit = () => {
    throw new StorageError("no-space", "full");
  };
  await expect(backend.commit([{ chunk: 1, data: filled(1) }])).rejects.toThrow("full");
  expect(await backend.list()).toEqual([]);
  backend.faults.commit = undefined;
  await backend.commit([{ chunk: 1, data: filled(1) }]);
  expect(await backend.list()).toEqual([1]);
});
