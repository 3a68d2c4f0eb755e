/**
 * `npm run crash`: kills the browser in the middle of writes, again and again, and checks each time that nothing is
 * lost that the guest was told is durable. See options.ts for the command line, session.ts for what a round is.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { UsageError } from "../bench/options.ts";
import { servePage } from "../bench/server.ts";
import { fillDisk } from "./fill.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { fillLines, roundLine, summaryLines, violationLines } from "./report.ts";
import { CrashSession, type RoundResult } from "./session.ts";

try {
  const options = parseOptions(process.argv.slice(2), () => randomInt(2 ** 32 - 1));
  if (options.help) console.log(usage);
  else if (options.fillMiB !== undefined) await fill(options.fillMiB, options);
  else await crash(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message} See npm run crash -- --help.`);
  process.exitCode = 2;
}

async function crash({ rounds, seed, json }: Options): Promise<void> {
  const results: RoundResult[] = [];
  const page = await servePage();
  const session = new CrashSession(page.address, seed);
  console.log(`${rounds} rounds, seed ${seed}`);
  let lost = true;
  try {
    while (results.length < rounds) {
      const result = await session.round();
      results.push(result);
      console.log(roundLine(result));
      if (json !== undefined) save(json, results);
      if (result.violations.length > 0) break;
    }
    lost = results.some(({ violations }) => violations.length > 0);
  } catch (error) {
    console.error(
      `Round ${results.length + 1} of seed ${seed} failed. The profile is kept in ${session.profile}.`,
    );
    throw error;
  } finally {
    await session.end(lost);
    await page.close();
  }
  for (const text of lost ? violationLines(results, seed, session.profile) : summaryLines(results)) {
    console.log(text);
  }
  if (lost) process.exitCode = 1;
}

async function fill(mib: number, { json, seed }: Options): Promise<void> {
  const page = await servePage();
  try {
    const result = await fillDisk(page.address, mib, seed);
    for (const text of fillLines(result)) console.log(text);
    if (json !== undefined) save(json, result);
    if (!result.verified) process.exitCode = 1;
  } finally {
    await page.close();
  }
}

function save(file: string, value: unknown): void {
  try {
    writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`Cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
