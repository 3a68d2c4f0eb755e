/** What is printed. */
import type { FillResult } from "./fill.ts";
import type { RoundResult } from "./session.ts";

export function roundLine(result: RoundResult): string {
  const { round, serving, steps, durableSteps, workMs, bootKilledAfterMs, ms, violations } = result;
  const boot = bootKilledAfterMs === undefined ? "" : `, and ${bootKilledAfterMs} ms into the next start`;
  return (
    `${String(round).padStart(5)}  ${serving.padEnd(13)}  killed after ${String(steps).padStart(2)} steps (${durableSteps} with data that had to stay) in ${workMs.toFixed(0)} ms${boot}  ${(ms / 1000).toFixed(1)} s  ` +
    (violations.length === 0 ? "ok" : "LOST DATA")
  );
}

export function summaryLines(results: readonly RoundResult[]): readonly string[] {
  const sum = (value: (result: RoundResult) => number) =>
    results.reduce((total, result) => total + value(result), 0);
  const kills = results.length + results.filter(result => result.bootKilledAfterMs !== undefined).length;
  return [
    `${results.length} rounds with ${kills} kills: nothing was lost. ${sum(({ steps }) => steps)} steps, ` +
      `${sum(({ durableSteps }) => durableSteps)} with data that had to stay; ` +
      `${(sum(({ ms }) => ms) / results.length / 1000).toFixed(1)} s a round.`,
  ];
}

/** At most this many losses are printed one by one. */
const MAX_SHOWN = 20;

export function violationLines(
  results: readonly RoundResult[],
  seed: number,
  profile: string,
): readonly string[] {
  const round = results.at(-1)?.round ?? 0;
  const violations = results.flatMap(result => result.violations);
  const shown = violations
    .slice(0, MAX_SHOWN)
    .flatMap(({ where, found, allowed }) => [
      `  ${where}`,
      `    found:   ${found}`,
      `    allowed: ${allowed}`,
    ]);
  const more = violations.length > MAX_SHOWN ? [`  … and ${violations.length - MAX_SHOWN} more`] : [];
  return [
    `Round ${round}: ${violations.length} violations of what was acknowledged.`,
    ...shown,
    ...more,
    `The profile with the disks is kept in ${profile}. Repeat with --rounds ${round} --seed ${seed}.`,
  ];
}

export function fillLines({ mib, writeMs, readMs, verified, output, peaks }: FillResult): readonly string[] {
  const rate = (ms: number) => `${((mib * 2 ** 20) / 1000 / ms).toFixed(0)} MB/s`;
  return [
    `${mib} MiB written in ${(writeMs / 1000).toFixed(1)} s (${rate(writeMs)}), flushed, read back after a new start of the browser in ${(readMs / 1000).toFixed(1)} s (${rate(readMs)}).`,
    ...(verified ? ["Every block is as it was written."] : ["NOT VERIFIED. fio says:", output]),
    "Most memory at a time (VmHWM), in MiB:",
    ...peaks.map(
      ({ when, type, bytes }) =>
        `  ${when.padEnd(8)} ${type.padEnd(12)} ${(bytes / 2 ** 20).toFixed(0).padStart(6)}`,
    ),
  ];
}
