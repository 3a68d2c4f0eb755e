import { expect, test } from "vitest";
import { formatBytes, formatCount, formatMegabytes, formatMs, formatSeconds, formatTotal } from "./format.ts";

test("formatCount", () => {
  expect([0, 999.6, 1234567].map(formatCount)).toEqual(["0", "1,000", "1,234,567"]);
});

test("formatTotal keeps its column narrow", () => {
  expect([0, 99_999, 100_000, 1_234_567, 45_600_000, 7.5e9].map(formatTotal)).toEqual([
    "0",
    "99,999",
    "100 k",
    "1.23 M",
    "45.6 M",
    "7.50 G",
  ]);
});

test("formatBytes", () => {
  const mib = 2 ** 20;
  expect([0, 512, 1024, 1536, 31 * mib, 1023.9 * mib, 1024 * mib, 1536 * mib].map(formatBytes)).toEqual([
    "0 B",
    "512 B",
    "1 KiB",
    "1.5 KiB",
    "31 MiB",
    "1 GiB",
    "1 GiB",
    "1.5 GiB",
  ]);
});

test("formatMegabytes", () => {
  expect([0, 40_000, 400_000, 12_340_000, 1_204_000_000].map(formatMegabytes)).toEqual([
    "0",
    "0.0",
    "0.4",
    "12.3",
    "1,204",
  ]);
});

test("durations", () => {
  expect([0, 0.42, 1, 12.4, 1204].map(formatMs)).toEqual(["0 ms", "0.4 ms", "1 ms", "12 ms", "1,204 ms"]);
  expect([0, 850, 999, 2940].map(formatSeconds)).toEqual(["0 ms", "850 ms", "1.0 s", "2.9 s"]);
});
