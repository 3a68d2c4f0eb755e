import { afterEach, expect, test, vi } from "vitest";
import { isPermitted, permit } from "./permission.ts";

function fakeStorage(): Map<string, string> {
  const items = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  });
  return items;
}

afterEach(() => vi.unstubAllGlobals());

test("no network needs no permission, and a relay needs its own", () => {
  fakeStorage();
  expect(isPermitted("")).toBe(true);
  expect(isPermitted("wss://a.invalid/")).toBe(false);
  permit("wss://a.invalid/");
  expect(isPermitted("wss://a.invalid/")).toBe(true);
  expect(isPermitted("wss://b.invalid/")).toBe(false);
  permit("");
  expect(isPermitted("wss://a.invalid/")).toBe(false);
});

test("without storage nothing is permitted, and nothing throws", () => {
  vi.stubGlobal("localStorage", {
    getItem: () => {
      throw new Error("denied");
    },
  });
  permit("fetch");
  expect(isPermitted("fetch")).toBe(false);
});
