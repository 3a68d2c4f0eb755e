/** Numbers as the page writes them. Pure; every result has few characters so that dense lines stay dense. */

/** Kept: toLocaleString would make one for each number. */
const grouped = new Intl.NumberFormat("en-US");

/** A whole number with thin grouping: 12,345. */
export function formatCount(value: number): string {
  return grouped.format(Math.round(value));
}

/** A running total that must not grow its column: 12,345 · 1.23 M · 45.6 G. */
export function formatTotal(value: number): string {
  if (value < 100_000) return formatCount(value);
  for (const [size, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (value >= size) return `${threeDigits(value / size)} ${unit}`;
  }
  return formatCount(value);
}

/** A storage size in binary units: 0 B, 512 B, 31 MiB, 1 GiB, 1.5 GiB. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  // 1023.5 would be written as 1024: go up before that.
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = value >= 9.95 || unit === 0 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${units[unit]}`;
}

/** Decimal megabytes a second, as disks are sold: 0, 0.4, 12.3, 1,204. */
export function formatMegabytes(bytesPerSecond: number): string {
  const value = bytesPerSecond / 1e6;
  if (value === 0) return "0";
  return value < 99.95 ? value.toFixed(1) : formatCount(value);
}

/** A duration for a legend: 0.4 ms, 12 ms, 1,204 ms. */
export function formatMs(ms: number): string {
  return `${ms < 9.95 && ms > 0 ? ms.toFixed(1).replace(/\.0$/, "") : formatCount(ms)} ms`;
}

/** A duration for a sentence: 850 ms, 2.9 s. */
export function formatSeconds(ms: number): string {
  return ms < 950 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function threeDigits(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}
