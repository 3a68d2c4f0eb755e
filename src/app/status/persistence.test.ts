import { describe, expect, test, vi } from "vitest";
import { Persistence } from "./persistence.ts";

function memory() {
  const values = new Map<string, string>();
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
  };
}

function storage(granted: boolean) {
  let persisted = false;
  return {
    persisted: async () => persisted,
    persist: vi.fn(async () => {
      persisted = granted;
      return granted;
    }),
    estimate: async () => ({ usage: 5, quota: 100 }),
  };
}

describe("Persistence", () => {
  test("reports what the browser says", async () => {
    expect(await new Persistence(storage(true), memory()).report()).toEqual({
      keeping: "clearable",
      usage: 5,
      quota: 100,
    });
  });

  test("asks once, and knows when it was granted", async () => {
    const granting = storage(true);
    const persistence = new Persistence(granting, memory());
    await persistence.askOnce();
    await persistence.askOnce();
    expect(granting.persist).toHaveBeenCalledTimes(1);
    expect((await persistence.report()).keeping).toBe("kept");
  });

  test("does not ask again after a refusal, not even in a later visit; the user may", async () => {
    const refusing = storage(false);
    const visits = memory();
    await new Persistence(refusing, visits).askOnce();
    const later = new Persistence(refusing, visits);
    await later.askOnce();
    expect(refusing.persist).toHaveBeenCalledTimes(1);
    expect(await later.ask()).toBe(false);
    expect(refusing.persist).toHaveBeenCalledTimes(2);
  });

  test("asks nothing where the data is kept already", async () => {
    const kept = { ...storage(true), persisted: async () => true };
    await new Persistence(kept, memory()).askOnce();
    expect(kept.persist).not.toHaveBeenCalled();
  });

  test("lives without the API, and with one that fails", async () => {
    for (const absent of [undefined, {}]) {
      const persistence = new Persistence(absent, memory());
      await persistence.askOnce();
      expect(persistence.canAsk).toBe(false);
      expect(await persistence.ask()).toBe(false);
      expect(await persistence.report()).toEqual({ keeping: "unknown" });
    }
    const fails = () => Promise.reject(new TypeError("insecure"));
    const persistence = new Persistence({ persisted: fails, persist: fails, estimate: fails }, memory());
    expect(await persistence.ask()).toBe(false);
    expect(await persistence.report()).toEqual({ keeping: "unknown" });
  });
});
