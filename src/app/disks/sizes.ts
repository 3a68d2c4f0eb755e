/** Sizes as people type them. */

const units: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * Bytes of a size such as "64 MiB", "1.5G" or "1048576"; undefined for what is none. As with qemu-img, units are powers
 * of 1024, however they are spelt.
 */
export function parseSize(text: string): number | undefined {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*([kmgt])?(?:i?b)?\s*$/i.exec(text);
  if (!match) return undefined;
  const bytes = Number(match[1].replace(",", ".")) * (units[match[2]?.toLowerCase() ?? ""] ?? 1);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** A disk's name made of an image's file name. */
export function nameOfImage(fileName: string): string {
  const name = fileName
    .replace(/\.gz$/i, "")
    .replace(/\.(img|raw|qcow2?|bin|iso|ext[234]|dd)$/i, "")
    .replace(/[^\p{L}\p{N} ._-]/gu, "-")
    .replace(/^[^\p{L}\p{N}]+/u, "")
    .slice(0, 48)
    .replace(/[ .]+$/, "");
  return name === "" ? "disk" : name;
}
