/** Which browser the tests run in: Chromium, or the one that the environment's BROWSER names. */
import { type BrowserType, chromium, firefox, test } from "@playwright/test";
import { chromiumLaunch } from "./chromium.ts";
import { LEFT_OUT } from "./left_out.ts";

type PersistentOptions = NonNullable<Parameters<BrowserType["launchPersistentContext"]>[1]>;

const name = process.env.BROWSER ?? "chromium";
if (name !== "chromium" && name !== "firefox") {
  throw new Error(`BROWSER is “${name}”: the tests run in chromium or firefox.`);
}

export const isFirefox = name === "firefox";

export const browserUnderTest: { readonly type: BrowserType; readonly launch: PersistentOptions } = isFirefox
  ? { type: firefox, launch: (await import("./firefox.ts")).firefoxLaunch }
  : { type: chromium, launch: chromiumLaunch };

/** Says in the report that a part of this test was left out, and why. */
export function leaveOut(part: string, reason: string): void {
  test.info().annotations.push({ type: LEFT_OUT, description: `${part}: ${reason}` });
}

/** Skips a test in Firefox, with what Firefox or its driver has not. First thing in the test, or in its file for all of them. */
export function notInFirefox(reason: string): void {
  test.skip(isFirefox, reason);
}
