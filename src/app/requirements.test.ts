import { expect, test } from "vitest";
import { type BrowserFeatures, missingRequirement } from "./requirements.ts";

const all: BrowserFeatures = {
  isSecureContext: true,
  crossOriginIsolated: true,
  indexedDB: true,
  sharedWasmMemory: true,
  moduleWorkers: true,
};

test("nothing is missing in a current browser", () => {
  expect(missingRequirement(all)).toBeUndefined();
});

test.each([
  [{ isSecureContext: false, crossOriginIsolated: false }, ["https", "localhost", "npm start"]],
  [
    { crossOriginIsolated: false, sharedWasmMemory: false },
    [
      "Cross-Origin-Opener-Policy: same-origin",
      "Cross-Origin-Embedder-Policy: require-corp",
      "npm start",
      "https",
      "localhost",
    ],
  ],
  [{ sharedWasmMemory: false }, ["WebAssembly threads"]],
  [{ moduleWorkers: false }, ["module workers"]],
  [{ indexedDB: false }, ["IndexedDB"]],
] satisfies [Partial<BrowserFeatures>, string[]][])("%o is named with its cure", (missing, words) => {
  const sentence = missingRequirement({ ...all, ...missing });
  for (const word of words) expect(sentence).toContain(word);
});
