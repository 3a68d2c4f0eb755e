import { readFileSync } from "node:fs";
import { booted, exec, expect, test } from "./browser.ts";

test("the commands of the course run", async ({ persistent }) => {
  const course = readFileSync("docs/course.md", "utf8");
  const commands = [...course.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block.trim().split("\n"),
  );
  expect(commands.length).toBeGreaterThan(10);
  const page = await persistent.open();
  await booted(page);
  for (const command of commands) await exec(page, `set -o pipefail; ${command}`);
});
