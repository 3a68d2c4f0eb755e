import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { EventNotifier } from "./event_notifier.ts";

const make = () => new EventNotifier(new SharedArrayBuffer(EventNotifier.byteLength), 0);

describe("EventNotifier", () => {
  it("is set once, however often it is set, and taken once", () => {
    const notifier = make();
    expect([notifier.isSet, notifier.testAndClear()]).toEqual([false, false]);
    notifier.set();
    notifier.set();
    expect(notifier.isSet).toBe(true);
    expect([notifier.testAndClear(), notifier.isSet, notifier.testAndClear()]).toEqual([true, false, false]);
  });

  it("tells the setter whether the owner sleeps, and whether it has looked for the last time", async () => {
    const notifier = make();
    expect([notifier.set(), notifier.ownerIsAsleep]).toEqual([false, false]);
    notifier.testAndClear();
    notifier.announceSleep();
    expect(notifier.ownerIsAsleep).toBe(false);
    const woken = notifier.waitTurning(10_000);
    expect(notifier.ownerIsAsleep).toBe(true);
    expect(notifier.set()).toBe(true);
    await woken;
    notifier.cancelSleep();
    expect([notifier.ownerIsAsleep, notifier.set()]).toEqual([false, false]);
  });

  it("does not sleep over a signal that came before the wait", async () => {
    const notifier = make();
    notifier.announceSleep();
    notifier.set();
    const start = performance.now();
    notifier.waitBlocking(10_000);
    await notifier.waitTurning(10_000);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("wakes up by itself after the given time", async () => {
    const notifier = make();
    notifier.announceSleep();
    notifier.waitBlocking(1);
    await notifier.waitTurning(1);
    expect(notifier.isSet).toBe(false);
  });

  it("lets the event loop turn during waitTurning()", async () => {
    const notifier = make();
    notifier.announceSleep();
    setImmediate(() => notifier.set());
    await notifier.waitTurning(10_000);
    expect(notifier.testAndClear()).toBe(true);
  });

  /** Two threads hand a ball to and fro; a wake-up that got lost would cost a whole timeout. */
  it.each([
    ["blocking", "waitBlocking", 20_000],
    ["turning", "waitTurning", 2_000],
  ] as const)("loses no wake-up between two threads: %s", async (_name, wait, rounds) => {
    const buffer = new SharedArrayBuffer(64);
    const worker = new Worker(
      `import { workerData, parentPort } from "node:worker_threads";
       const { tsImport } = await import("tsx/esm/api");
       const { EventNotifier } = await tsImport(workerData.module, workerData.module);
       const mine = new EventNotifier(workerData.buffer, 0);
       const theirs = new EventNotifier(workerData.buffer, 32);
       // waitAsync alone does not keep a thread of Node's alive.
       const alive = setInterval(() => {}, 1000);
       parentPort.postMessage("ready");
       let timeouts = 0;
       for (let i = 0; i < ${rounds}; i++) {
         while (!mine.testAndClear()) {
           mine.announceSleep();
           const start = performance.now();
           if (!mine.isSet) await mine.${wait}(20_000);
           if (performance.now() - start > 15_000) timeouts += 1;
           mine.cancelSleep();
         }
         theirs.set();
       }
       clearInterval(alive);
       parentPort.postMessage(timeouts);`,
      {
        eval: true,
        workerData: { buffer, module: new URL("./event_notifier.ts", import.meta.url).href },
        execArgv: ["--input-type=module"],
      },
    );
    const failed = new Promise<never>((_, reject) => worker.on("error", reject));
    await Promise.race([new Promise(resolve => worker.once("message", resolve)), failed]);
    const timeouts = new Promise<number>(resolve => worker.once("message", resolve));
    const theirs = new EventNotifier(buffer, 0);
    const mine = new EventNotifier(buffer, 32);
    for (let i = 0; i < rounds; i++) {
      theirs.set();
      while (!mine.testAndClear()) {
        mine.announceSleep();
        if (!mine.isSet) {
          const start = performance.now();
          if (wait === "waitBlocking") mine.waitBlocking(20_000);
          else await mine.waitTurning(20_000);
          expect(performance.now() - start).toBeLessThan(15_000);
        }
        mine.cancelSleep();
      }
    }
    expect(await timeouts).toBe(0);
  });
});
