/** What the charts over time show, in numbers. */
import { NvmOpcode } from "../../devices/nvme/spec/opcodes.ts";
import { type CommandSpan, latencyOf } from "../../trace/command_spans.ts";

/** Commands that were answered in one stretch of time. */
export interface StretchSummary {
  /** Seconds ago: from more, to less. */
  readonly from: number;
  readonly to: number;
  readonly commands: number;
  readonly reads: number;
  readonly writes: number;
  /** Microseconds; undefined without commands. */
  readonly median: number | undefined;
  readonly longest: number | undefined;
  /** Lowest and highest starting block of reads and writes; undefined without any. */
  readonly lowestLba: number | undefined;
  readonly highestLba: number | undefined;
}

/** Sums commands up in stretches of `step` seconds, latest first, back to `seconds` ago; `now` is on the trace's clock. */
export function summarize(
  spans: readonly CommandSpan[],
  now: number,
  { seconds, step }: { readonly seconds: number; readonly step: number },
): StretchSummary[] {
  const stretches = Array.from({ length: seconds / step }, (): CommandSpan[] => []);
  for (const span of spans) {
    const age = Math.max(0, (now - span.postedAt) | 0) / 1e6;
    stretches[Math.floor(age / step)]?.push(span);
  }
  return stretches.map((inside, i) => {
    const latencies = inside.map(latencyOf).sort((a, b) => a - b);
    const of = (opcode: number) => inside.filter(span => span.qid !== 0 && span.opcode === opcode);
    const [reads, writes] = [of(NvmOpcode.read), of(NvmOpcode.write)];
    const places = [...reads, ...writes].map(({ lba }) => lba).sort((a, b) => a - b);
    return {
      from: (i + 1) * step,
      to: i * step,
      commands: inside.length,
      reads: reads.length,
      writes: writes.length,
      median: latencies[latencies.length >> 1],
      longest: latencies.at(-1),
      lowestLba: places[0],
      highestLba: places.at(-1),
    };
  });
}
