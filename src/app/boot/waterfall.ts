/** Where the bars of the boot waterfall go: percentages of a common time line. Pure. */
import type { BootStage, BootStageTiming } from "../../machine/api.ts";

export const stageOrder: readonly BootStage[] = [
  "images",
  "disks",
  "restore",
  "firmware",
  "bootloader",
  "kernel",
  "userspace",
];

export interface Bar {
  readonly stage: BootStage;
  /** Undefined for a stage that has not begun. */
  readonly startMs?: number;
  /** So far, for a stage that goes on. */
  readonly durationMs: number;
  readonly going: boolean;
  readonly leftPercent: number;
  readonly widthPercent: number;
  readonly loaded?: number;
  readonly total?: number;
}

export interface Waterfall {
  readonly bars: readonly Bar[];
  /** The whole time line, to the last end or to now. */
  readonly totalMs: number;
}

/** Lays out all stages, also those that have not begun; `nowMs` is where those that go on end for now. */
export function layOut(stages: readonly BootStageTiming[], nowMs: number): Waterfall {
  const ends = stages.map(stage => stage.endMs ?? Math.max(nowMs, stage.startMs));
  const totalMs = Math.max(0, ...ends);
  const percent = (ms: number) => (totalMs > 0 ? (ms / totalMs) * 100 : 0);
  const bars = stageOrder.map((name): Bar => {
    const index = stages.findIndex(stage => stage.stage === name);
    if (index < 0) return { stage: name, durationMs: 0, going: false, leftPercent: 0, widthPercent: 0 };
    const { stage: _, endMs, startMs, ...bytes } = stages[index];
    const durationMs = Math.max(0, ends[index] - startMs);
    return {
      ...bytes,
      stage: name,
      startMs,
      durationMs,
      going: endMs === undefined,
      leftPercent: percent(startMs),
      widthPercent: percent(durationMs),
    };
  });
  return { bars, totalMs };
}

/** The stage to name while booting: the latest that goes on. */
export function presentStage({ bars }: Waterfall): Bar | undefined {
  return bars.findLast(bar => bar.going);
}
