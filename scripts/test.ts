/**
 * `npm test`: lint, type check, unit tests, e2e tests in Chromium. Each step's output is shown as it comes; the last
 * line counts all tests. Any step that fails, fails the whole; the later steps run all the same.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";

const typeScriptProjects = ["core", "worker", "app", "node"];

/** Runs a command of node_modules/.bin; true if it succeeded. */
function step(command: string, ...args: string[]): boolean {
  console.log(`\n> ${command} ${args.join(" ")}`);
  return spawnSync("npx", [command, ...args], { stdio: "inherit" }).status === 0;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Totals of a Vitest JSON report, as Jest writes them. */
function vitestCounts(path: string): Counts {
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(readFileSync(path, "utf8"));
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numFailedTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Totals of a Playwright JSON report. */
function playwrightCounts(path: string): Counts {
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  const { stats } = JSON.parse(readFileSync(path, "utf8"));
  return { passed: stats.expected + stats.flaky, failed: stats.unexpected, skipped: stats.skipped };
}

rmSync("test-results", { recursive: true, force: true });
mkdirSync("test-results", { recursive: true });

const checks = [
  step("biome", "check", "--error-on-warnings"),
  ...typeScriptProjects.map(name => step("tsc", "-p", `tsconfig.${name}.json`)),
  step("tsx", "scripts/api/reference.ts", "--check"),
  step("tsx", "scripts/check_library.ts"),
  step("vitest", "run", "--reporter=default", "--reporter=json", "--outputFile.json=test-results/unit.json"),
  step("playwright", "test"),
];
const counts = [vitestCounts("test-results/unit.json"), playwrightCounts("test-results/e2e.json")];
const total = (key: keyof Counts) => counts.reduce((sum, count) => sum + count[key], 0);
const checksFailed = checks.filter(passed => !passed).length;
if (checksFailed > 0) console.log(`\n${checksFailed} of ${checks.length} steps failed.`);
console.log(`\n${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped`);
process.exitCode = checksFailed === 0 && total("failed") === 0 ? 0 : 1;
