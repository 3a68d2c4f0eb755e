/** `npm run fuzz`: the device against a host of chance, until an invariant breaks or so many commands were given. */
import { statusName } from "../spec/decode.ts";
import { campaign, Violation } from "./campaign.ts";
import type { Coverage } from "./coverage.ts";
import { type Options, parseOptions, UsageError, usage } from "./options.ts";

const STEPS_SHOWN = 60;
const PROGRESS_EVERY_MS = 10_000;

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
  else await fuzz(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message} See npm run fuzz -- --help.`);
  process.exitCode = 2;
}

async function fuzz({ seed, commands }: Options): Promise<void> {
  const start = performance.now();
  let shown = start;
  console.log(`seed ${seed}, ${commands} commands`);
  const line = (done: number, coverage: Coverage) => {
    const perSecond = Math.round((done * 1000) / (performance.now() - start));
    const { pairs, places } = coverage;
    return `${done} commands, ${perSecond}/s; ${pairs} pairs of opcode and status, ${places} with states`;
  };
  try {
    const result = await campaign({
      seed,
      commands,
      progress: (done, coverage) => {
        if (performance.now() - shown < PROGRESS_EVERY_MS) return;
        shown = performance.now();
        console.log(line(done, coverage));
      },
    });
    console.log(line(result.commands, result.coverage));
    const statuses = [...result.coverage.statuses].sort(([, a], [, b]) => b - a);
    for (const [status, count] of statuses)
      console.log(`${String(count).padStart(9)}  ${statusName(status)}`);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    for (const step of error.steps.slice(-STEPS_SHOWN)) console.error(step);
    console.error(error.cause);
    console.error(`${error.message}. Again with: npm run fuzz -- --seed ${seed} --commands ${commands}`);
    process.exitCode = 1;
  }
}
