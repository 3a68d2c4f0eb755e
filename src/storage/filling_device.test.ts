import { expect, test } from "vitest";
import { BlockCache } from "./cache/block_cache.ts";
import { FillingDevice } from "./filling_device.ts";
import { MemoryBackend } from "./memory_backend.ts";
import { read, settle, vectorOf, write } from "./testing/test_support.ts";

const BYTES = 1 << 20;

async function filling() {
  const cache = await BlockCache.open(new MemoryBackend(4096, BYTES / 4096));
  let done = () => {};
  let failed: (error: Error) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    done = resolve;
    failed = reject;
  });
  return { cache, device: new FillingDevice(cache, promise), done, failed };
}

test("I/O waits until the disk is filled, and then finds what it was filled with", async () => {
  const { cache, device, done } = await filling();
  const order: string[] = [];
  const reading = read(device, 4096, 4096).then(data => {
    order.push("read");
    return data;
  });
  const writing = write(device, 8192, new Uint8Array(512).fill(9)).then(() => order.push("written"));
  const flushing = device.flush().then(() => order.push("flushed"));
  const ranging = device.flushRange(0, 512).then(() => order.push("range flushed"));
  expect(device.tryZero(0, 4096)).toBe(false);
  expect(device.tryRead(0, vectorOf(new Uint8Array(512)))).toBe(false);
  await write(cache, 4096, new Uint8Array(4096).fill(7));
  await settle();
  expect(order).toEqual([]);
  done();
  expect(await reading).toEqual(new Uint8Array(4096).fill(7));
  await Promise.all([writing, flushing, ranging]);
  expect(order).toHaveLength(4);
  expect(await read(device, 8192, 512)).toEqual(new Uint8Array(512).fill(9));
  expect(device.tryZero(4096, 4096)).toBe(true);
  expect(await read(cache, 4096, 1)).toEqual(new Uint8Array(1));
  expect([device.byteLength, device.allocatedBytes]).toEqual([cache.byteLength, cache.allocatedBytes]);
  await device.close();
});

test("what waits fails when the filling does", async () => {
  const { device, failed } = await filling();
  const waiting = [device.prepare("read", 0, 512), device.flush(), device.flushRange(0, 512)];
  failed(new Error("no network"));
  for (const each of waiting) await expect(each).rejects.toThrow("no network");
  expect(device.tryRead(0, vectorOf(new Uint8Array(512)))).toBe(false);
});
