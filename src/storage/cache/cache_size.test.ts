import { expect, it } from "vitest";
import { defaultCacheBytes } from "./cache_size.ts";

it.each([
  [undefined, 256],
  [0.5, 128],
  [2, 128],
  [4, 256],
  [8, 512],
  [32, 512],
])("with %s GiB of memory the cache may take %i MiB", (deviceGiB, mib) => {
  expect(defaultCacheBytes(deviceGiB) / 2 ** 20).toBe(mib);
});
