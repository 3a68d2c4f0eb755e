import { describe, expect, it } from "vitest";
import { addCounter, Counter, CounterReader, counterBytes, counterNames, setCounter } from "./counters.ts";

const make = () => new Int32Array(new SharedArrayBuffer(counterBytes));

describe("counters", () => {
  it("have one word each", () => {
    expect(new Set(Object.values(Counter)).size).toBe(counterNames.length);
    const words = make();
    for (const name of counterNames) addCounter(words, Counter[name], Counter[name] + 1);
    expect(new CounterReader([words]).read()).toEqual(
      Object.fromEntries(counterNames.map((name, i) => [name, i + 1])),
    );
  });

  it("go on where their words wrap, as often as they do", () => {
    const words = make();
    const reader = new CounterReader([words]);
    setCounter(words, Counter.commands, 0x7fffffff);
    expect(reader.read().commands).toBe(0x7fffffff);
    addCounter(words, Counter.commands, 1);
    expect(reader.read().commands).toBe(0x80000000);
    for (let lap = 1; lap < 4; lap++) {
      setCounter(words, Counter.commands, -1);
      expect(reader.read().commands).toBe(lap * 2 ** 32 - 1);
      addCounter(words, Counter.commands, 2);
      expect(reader.read().commands).toBe(lap * 2 ** 32 + 1);
    }
  });

  it("that hold a present value may fall", () => {
    const words = make();
    const reader = new CounterReader([words]);
    setCounter(words, Counter.pollTimeUs, 400);
    expect(reader.read().pollTimeUs).toBe(400);
    setCounter(words, Counter.pollTimeUs, 100);
    addCounter(words, Counter.flushesInProgress);
    addCounter(words, Counter.flushesInProgress, -1);
    expect(reader.read()).toMatchObject({ pollTimeUs: 100, flushesInProgress: 0 });
  });

  it("are summed over several blocks", () => {
    const [nvme, virtio] = [make(), make()];
    const reader = new CounterReader([nvme, virtio]);
    addCounter(nvme, Counter.commands, 3);
    addCounter(virtio, Counter.commands, 4);
    setCounter(virtio, Counter.flushesInProgress, 1);
    expect(reader.read()).toMatchObject({ commands: 7, flushesInProgress: 1 });
    addCounter(virtio, Counter.commands, -4);
    expect(reader.read().commands).toBe(7 - 4 + 2 ** 32);
  });
});
