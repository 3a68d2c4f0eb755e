import { describe, expect, it } from "vitest";
import { DirtyLimit } from "./dirty_limit.ts";

const MiB = 1024 * 1024;
/** Chunks of 1 MiB, so that all figures are MiB. */
const limitOf = (most: number) => new DirtyLimit(MiB, most);

function commit(limit: DirtyLimit, times: number, mibPerSecond: number): void {
  for (let i = 0; i < times; i++) limit.committed(4, (4 / mibPerSecond) * 1000);
}

describe("DirtyLimit", () => {
  it("is all that is configured, if that is little", () => {
    const limit = limitOf(10);
    expect(limit.chunks).toBe(10);
    commit(limit, 100, 0.1);
    expect(limit.chunks).toBe(10);
  });

  it("starts low and grows to what storage can commit in 8 s", () => {
    const limit = limitOf(1000);
    expect(limit.chunks).toBe(64);
    commit(limit, 100, 50);
    expect(limit.chunks).toBeGreaterThan(390);
    expect(limit.chunks).toBeLessThanOrEqual(400);
    commit(limit, 100, 500);
    expect(limit.chunks).toBe(1000);
  });

  it("falls with the speed, by no more than half of what was committed, and not below 64 MiB", () => {
    const limit = limitOf(384);
    commit(limit, 100, 200);
    expect(limit.chunks).toBe(384);
    for (let i = 0; i < 300; i++) {
      const before = limit.chunks;
      limit.committed(4, 2000);
      expect(limit.chunks).toBeGreaterThanOrEqual(before - 2);
    }
    expect(limit.chunks).toBe(64);
  });

  it("does not fall for one hiccup", () => {
    const limit = limitOf(384);
    commit(limit, 100, 200);
    limit.committed(4, 1500);
    commit(limit, 1, 200);
    expect(limit.chunks).toBeGreaterThan(376);
    commit(limit, 30, 200);
    expect(limit.chunks).toBe(384);
  });
});
