import { expect, test } from "@playwright/test";
import { violationLines } from "../src/crash/report.ts";
import { CrashSession } from "../src/crash/session.ts";

const ROUNDS = 20;
/** Another plan each day; `npm run crash -- --seed` repeats one. */
const seed = Math.floor(Date.now() / 86_400_000);

test.describe("SIGKILL of the browser in the middle of writes", () => {
  // A loss is a loss: no second try may hide it. The rounds follow each other on one profile.
  test.describe.configure({ mode: "serial", retries: 0 });
  let session: CrashSession;
  let lost = false;

  test.beforeAll(({ baseURL }) => {
    session = new CrashSession(baseURL ?? "", seed);
  });
  test.afterAll(() => session.end(lost));

  for (let round = 1; round <= ROUNDS; round++) {
    test(`round ${round} of ${ROUNDS}: nothing that was acknowledged is lost`, async () => {
      test.setTimeout(180_000);
      lost = true;
      const result = await session.round();
      expect(result.violations, violationLines([result], seed, session.profile).join("\n")).toEqual([]);
      lost = false;
    });
  }
});
