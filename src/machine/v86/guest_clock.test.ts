import { expect, it } from "vitest";
import { GuestClock } from "./guest_clock.ts";

function make() {
  const host = { now: 1000 };
  return { host, clock: new GuestClock(() => host.now) };
}

it("is the host's while the guest runs", () => {
  const { host, clock } = make();
  host.now += 5;
  expect(clock.now()).toBe(1005);
});

it("stands still while the guest is held, and goes on from there", () => {
  const { host, clock } = make();
  clock.hold();
  host.now += 60_000;
  expect(clock.now()).toBe(1000);
  clock.hold();
  clock.release();
  expect(clock.now()).toBe(1000);
  host.now += 7;
  expect(clock.now()).toBe(1007);
});

it("lets as much time pass as it is told, and never more than has passed", () => {
  const { host, clock } = make();
  clock.hold();
  host.now += 100;
  clock.release(10);
  expect(clock.now()).toBe(1010);
  clock.hold();
  host.now += 5;
  clock.release(50);
  expect(clock.now()).toBe(1015);
  clock.release(50);
  expect(clock.now()).toBe(1015);
});

it("goes on from where another one was, ahead of the host or behind it", () => {
  for (const ms of [50_000, 10]) {
    const { host, clock } = make();
    clock.goOnFrom(ms);
    expect(clock.now()).toBe(ms);
    host.now += 3;
    expect(clock.now()).toBe(ms + 3);
    clock.hold();
    host.now += 100;
    clock.goOnFrom(ms);
    expect(clock.now()).toBe(ms);
    clock.release();
    host.now += 1;
    expect(clock.now()).toBe(ms + 1);
  }
});
