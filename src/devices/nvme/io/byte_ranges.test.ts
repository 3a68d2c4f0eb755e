import fc from "fast-check";
import { expect, it } from "vitest";
import { ByteRanges } from "./byte_ranges.ts";

it("is the set of numbers that were added and not removed since", () => {
  const step = fc.record({ add: fc.boolean(), start: fc.nat(40), length: fc.nat(12) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const ranges = new ByteRanges();
      const model = new Set<number>();
      for (const { add, start, length } of steps) {
        if (add) ranges.add(start, start + length);
        else ranges.remove(start, start + length);
        for (let i = start; i < start + length; i++) add ? model.add(i) : model.delete(i);
        for (let from = 0; from < 53; from++) {
          const next = [...model].filter(i => i >= from && i < from + 5).sort((a, b) => a - b)[0];
          expect(ranges.firstWithin(from, from + 5)).toBe(next);
        }
        expect(ranges.isEmpty).toBe(model.size === 0);
      }
    }),
    { numRuns: 200 },
  );
});
