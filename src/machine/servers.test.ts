import { expect, it } from "vitest";
import { PAGE, Rig, transfer } from "../devices/nvme/testing/driver.ts";
import { BlockCache } from "../storage/cache/block_cache.ts";
import { FaultBackend } from "../storage/fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../storage/memory_backend.ts";
import { ManualScheduler, settle } from "../storage/testing/test_support.ts";
import { abandon } from "./servers.ts";

it.each([
  { machine: "is gone", goes: true, first: 0x11 },
  { machine: "stays", goes: false, first: 0x22 },
])("a write that waits for storage, when its machine $machine", async ({ goes, first }) => {
  const chunkBytes = 4 * PAGE;
  const store: MemoryStore = new Map([[0, new Uint8Array(chunkBytes).fill(0x11)]]);
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  const backend = new FaultBackend(new MemoryBackend(chunkBytes, 4, store), { read: () => held });
  const cache = await BlockCache.open(backend, {
    cacheBytes: 4 * chunkBytes,
    scheduler: new ManualScheduler(),
  });
  const { rig, io } = await Rig.withQueue({ disks: [{ blocks: (4 * chunkBytes) / 512, device: cache }] });
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0x22, page, page + PAGE);
  io.submit(transfer(1, 0, 8, { prp1: page }));
  await rig.settle();
  if (goes) abandon({ signals: rig.shared.signals, nvme: rig.shared, virtio: undefined });
  release();
  await settle();
  const flushed = cache.flush();
  await settle();
  await flushed;
  expect(store.get(0)?.[0]).toBe(first);
});
