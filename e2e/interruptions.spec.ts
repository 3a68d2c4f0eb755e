import { expect, test } from "@playwright/test";
import { closeTab, endWorker, hardReset, type Interruption, reload } from "../src/crash/interruptions.ts";
import { violationLines } from "../src/crash/report.ts";
import { CrashSession } from "../src/crash/session.ts";

const seed = Math.floor(Date.now() / 86_400_000);
/** Each comes upon another serving mode. */
const interruptions: readonly Interruption[] = [closeTab, reload, endWorker, hardReset];

test.describe("in the middle of writes", () => {
  test.describe.configure({ mode: "serial", retries: 0 });
  let session: CrashSession;

  test.beforeAll(({ baseURL }) => {
    session = new CrashSession(baseURL ?? "", seed);
  });
  test.afterAll(() => session.end(false));

  for (const [i, interruption] of interruptions.entries()) {
    test(`${i + 1}. ${interruption.name}: nothing that was acknowledged is lost`, async () => {
      test.setTimeout(180_000);
      const result = await session.round(interruption);
      expect(result.violations, violationLines([result], seed, session.profile).join("\n")).toEqual([]);
    });
  }
});
