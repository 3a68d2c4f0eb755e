import { describe, expect, it } from "vitest";
import { arc, distance, latest, pointAt } from "./ring_geometry.ts";

describe("ring geometry", () => {
  it("has entry 0 at the top and goes clockwise", () => {
    const [top, right] = [pointAt(0, 8, 10), pointAt(2, 8, 10)];
    expect([top.x, top.y]).toEqual([0, -10]);
    expect(right.x).toBeCloseTo(10);
    expect(right.y).toBeCloseTo(0);
  });

  it("measures around the end of the queue", () => {
    expect([distance(1, 4, 8), distance(6, 1, 8), distance(3, 3, 8)]).toEqual([3, 3, 0]);
  });

  it("draws nothing for an empty span, and takes the long way for a long one", () => {
    expect(arc(3, 3, 8, 10)).toBe("");
    expect(arc(0, 2, 8, 10)).toBe("M0 -10A10 10 0 0 1 10 0");
    expect(arc(0, 6, 8, 10)).toContain("0 1 1 -10");
  });

  it("makes one entry of 1024 visible", () => {
    const [x] = /A10 10 0 0 1 ([\d.]+)/
      .exec(arc(0, 1, 1024, 10))!
      .slice(1)
      .map(Number);
    expect(x).toBeCloseTo(10 * Math.sin((2 * Math.PI) / 180), 1);
  });

  it("lists the latest entries, over the end of the queue", () => {
    expect(latest(2, 8, 4)).toEqual([6, 7, 0, 1]);
    expect(latest(1, 2, 4)).toEqual([1, 0]);
  });
});
