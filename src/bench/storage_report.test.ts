import { expect, it } from "vitest";
import type { RatioRun } from "../storage/measure/measure_ratios.ts";
import { storageLines } from "./storage_report.ts";

const run = (stack: number): RatioRun => ({
  write: { stack, bare: 100 },
  coldRead: { stack, bare: 50 },
  randomRead: { stack, bare: 60 },
  warmRead: { stack, bare: 90 },
});

it("shows medians, spread and ratios, and whether they are what is asked for", () => {
  const text = storageLines({ IndexedDB: [run(70), run(90), run(75)] }, 64).join("\n");
  expect(text).toContain("medians of 3 runs");
  expect(text).toContain(
    "| IndexedDB: Sustained write, 1 MiB, MB/s | 75 (70–90) | 100 (100–100) | 0.75 (0.70–0.90) | ≥ 0.8 ❌ |",
  );
  expect(text).toContain("| 1.50 (1.40–1.80) | ≥ 0.8 ✅ |");
  expect(text).toContain("| 1.25 (1.17–1.50) | ≤ 1.5 ✅ |");
  expect(text).toContain("0.83 (0.78–1.00) | – |");
});
