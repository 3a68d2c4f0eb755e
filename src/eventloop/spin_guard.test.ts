import { describe, expect, it } from "vitest";
import { SpinGuard } from "./spin_guard.ts";

/** Spins from `start`, looking each 10 µs; returns false if it is told to stop. */
function spin(guard: SpinGuard, start: number, ms: number): boolean {
  if (!guard.begin(start)) return false;
  for (let us = 10; us <= ms * 1000; us += 10) if (!guard.look(start + us / 1000)) return false;
  return true;
}

describe("SpinGuard", () => {
  it("lets a thread spin that is never kept from running", () => {
    const guard = new SpinGuard();
    for (let ms = 0; ms < 100; ms += 5) expect(spin(guard, ms, 2)).toBe(true);
  });

  it("stops at a gap, and for longer each time that it happens again", () => {
    const guard = new SpinGuard();
    const bans: number[] = [];
    let now = 0;
    for (let i = 0; i < 6; i++) {
      guard.begin(now);
      now += 3;
      expect(guard.look(now)).toBe(false);
      const since = now;
      while (!guard.begin(now)) now += 1;
      bans.push(now - since);
    }
    expect(bans).toEqual([4, 8, 16, 32, 64, 64]);
  });

  it("forgives, step by step, when spinning pays again", () => {
    const guard = new SpinGuard();
    guard.begin(0);
    guard.look(3);
    guard.begin(10);
    guard.look(13);
    guard.hit();
    guard.hit();
    guard.begin(100);
    guard.look(103);
    expect([guard.begin(106), guard.begin(107)]).toEqual([false, true]);
  });

  it("takes the time between two waits for no gap", () => {
    const guard = new SpinGuard();
    expect(spin(guard, 0, 1)).toBe(true);
    expect(spin(guard, 1000, 1)).toBe(true);
  });
});
