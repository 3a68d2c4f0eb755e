import { expect, test } from "vitest";
import { type CounterName, counterNames } from "../../trace/counters.ts";
import { type Counters, RateMeter } from "./rates.ts";

function counters(values: Partial<Record<CounterName, number>>): Counters {
  return {
    ...(Object.fromEntries(counterNames.map(name => [name, 0])) as Record<CounterName, number>),
    ...values,
  };
}

test("no rate without two samples", () => {
  const meter = new RateMeter(500);
  expect(meter.perSecond("reads")).toBe(0);
  meter.add(0, counters({ reads: 100 }));
  expect(meter.perSecond("reads")).toBe(0);
  expect(meter.latest?.reads).toBe(100);
});

test("a steady rate is exact and old samples leave the window", () => {
  const meter = new RateMeter(500);
  for (let i = 0; i <= 20; i++) meter.add(i * 100, counters({ reads: i * 10 }));
  expect(meter.perSecond("reads")).toBe(100);
  for (let i = 21; i <= 26; i++) meter.add(i * 100, counters({ reads: 200 }));
  expect(meter.perSecond("reads")).toBe(0);
});

test("one sample a long time ago still counts as the start of the window", () => {
  const meter = new RateMeter(500);
  meter.add(0, counters({}));
  meter.add(2000, counters({ writes: 10 }));
  expect(meter.perSecond("writes")).toBe(5);
});

test("a restart does not make a negative or a huge rate", () => {
  const meter = new RateMeter(500);
  meter.add(0, counters({ commands: 1000, reads: 900 }));
  meter.add(100, counters({ commands: 5, reads: 3 }));
  expect(meter.perSecond("reads")).toBe(0);
  meter.add(200, counters({ commands: 15, reads: 13 }));
  expect(meter.perSecond("reads")).toBe(100);
});
