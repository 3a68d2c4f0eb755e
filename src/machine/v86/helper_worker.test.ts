import { afterEach, expect, it, vi } from "vitest";
import { denyHelperWorker } from "./helper_worker.ts";

afterEach(() => vi.unstubAllGlobals());

it("gives v86 no helper when it goes on, and everybody else workers as before", async () => {
  let made = 0;
  class SomeWorker {
    constructor() {
      made += 1;
    }
  }
  vi.stubGlobal("Worker", SomeWorker);
  const wasm = (async () => denyHelperWorker())();
  await wasm.then(() => {
    const helper = new Worker("blob:of-v86");
    helper.postMessage({ t: 0, tick: 1 });
    helper.terminate();
  });
  expect(made).toBe(0);
  await new Promise(resolve => setTimeout(resolve, 1));
  expect(Worker).toBe(SomeWorker);
  new Worker("other");
  expect(made).toBe(1);
});

it("leaves a host without workers without them", () => {
  vi.stubGlobal("Worker", undefined);
  denyHelperWorker();
  expect(Worker).toBeUndefined();
});
