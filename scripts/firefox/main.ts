/**
 * `npm run firefox`: the e2e tests in Debian's Firefox. Prints what was not run, with the reason, and a count; exits with 1 if
 * a test failed. Arguments go to Playwright (`npm run firefox -- modes`).
 * `npm run firefox -- --table a.json b.json …` writes the table of docs/browsers.md from the results of a whole run, or of
 * several that make one; of a test that is in several, the last counts.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { chromiumLaunch } from "../../e2e/chromium.ts";
import { firefoxLaunch } from "../../e2e/firefox.ts";
import { count, type JsonReport, type Outcome, outcomesOf, problems } from "./results.ts";
import { tableOf } from "./table.ts";

const RESULTS = "test-results/firefox.json";
const DOCUMENT = "docs/browsers.md";
const MARKS = { start: "<!-- results -->", end: "<!-- end -->" };

const [option, ...files] = process.argv.slice(2);
if (option === "--table") writeTable(files);
else run(process.argv.slice(2));

function run(filters: readonly string[]): void {
  rmSync(RESULTS, { force: true });
  const { status } = spawnSync("npx", ["playwright", "test", ...filters], {
    stdio: "inherit",
    env: { ...process.env, BROWSER: "firefox" },
  });
  const outcomes = existsSync(RESULTS) ? outcomesOf(read(RESULTS)) : [];
  report(outcomes);
  process.exitCode = status === 0 && outcomes.length > 0 ? 0 : 1;
}

function report(outcomes: readonly Outcome[]): void {
  for (const line of problems(outcomes)) console.log(line);
  const { passed, failed, skipped } = count(outcomes);
  console.log(`\nFirefox: ${passed} passed, ${failed} failed, ${skipped} skipped`);
}

function writeTable(files: readonly string[]): void {
  const reports = files.map(read);
  const all = reports.flatMap(outcomesOf);
  if (all.length === 0) throw new Error(`Name the JSON results of a run, such as ${RESULTS}.`);
  const outcomes = [...new Map(all.map(each => [`${each.file} ${each.title}`, each])).values()];
  report(outcomes);
  const days = [...new Set(reports.map(({ stats }) => stats.startTime.slice(0, 10)))].sort();
  const text = readFileSync(DOCUMENT, "utf8");
  const [start, end] = [text.indexOf(MARKS.start) + MARKS.start.length, text.indexOf(MARKS.end)];
  if (start < MARKS.start.length || end < start)
    throw new Error(`${DOCUMENT} has lost its marks for the table.`);
  const { passed, failed, skipped } = count(outcomes);
  const heading =
    `Run on ${days.join(", ")} in ${versionOf(firefoxLaunch.executablePath)}: ${passed} passed, ${failed} failed, ` +
    `${skipped} skipped. The column Chromium says how many tests there are; CI runs all of them there (here: ${versionOf(chromiumLaunch.executablePath)}).`;
  writeFileSync(
    DOCUMENT,
    `${text.slice(0, start)}\n${heading}\n\n${tableOf(listed(), outcomes)}${text.slice(end)}`,
  );
}

/** All tests that there are. */
function listed(): Outcome[] {
  const json = execFileSync("npx", ["playwright", "test", "--list", "--reporter=json"], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return outcomesOf(JSON.parse(json));
}

function versionOf(executable: string): string {
  return execFileSync(executable, ["--version"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

function read(file: string): JsonReport {
  return JSON.parse(readFileSync(file, "utf8"));
}
