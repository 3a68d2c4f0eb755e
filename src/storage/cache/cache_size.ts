const MiB = 1024 * 1024;

/**
 * Memory for one disk's cache, in bytes, by the computer's memory. Browsers that do not tell it (Firefox, Safari) and
 * Node get the middle one. Chromium rounds to a power of two and says at most 8 GiB, newer ones 32.
 */
export function defaultCacheBytes(
  deviceGiB = (globalThis as { navigator?: { deviceMemory?: number } }).navigator?.deviceMemory,
): number {
  if (deviceGiB === undefined) return 256 * MiB;
  if (deviceGiB >= 8) return 512 * MiB;
  return deviceGiB >= 4 ? 256 * MiB : 128 * MiB;
}
