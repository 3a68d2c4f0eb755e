import { expect, test } from "vitest";
import { layOut, presentStage } from "./waterfall.ts";

test("nothing has begun", () => {
  const waterfall = layOut([], 0);
  expect(waterfall.totalMs).toBe(0);
  expect(waterfall.bars.map(bar => bar.stage)).toEqual([
    "images",
    "disks",
    "restore",
    "firmware",
    "bootloader",
    "kernel",
    "userspace",
  ]);
  expect(waterfall.bars.every(bar => bar.startMs === undefined && bar.widthPercent === 0)).toBe(true);
  expect(presentStage(waterfall)).toBeUndefined();
});

test("stages that overlap, one that goes on", () => {
  const waterfall = layOut(
    [
      { stage: "images", startMs: 0, endMs: 400, loaded: 5, total: 5 },
      { stage: "disks", startMs: 100, endMs: 200 },
      { stage: "firmware", startMs: 400 },
    ],
    500,
  );
  expect(waterfall.totalMs).toBe(500);
  expect(waterfall.bars[0]).toEqual({
    stage: "images",
    startMs: 0,
    durationMs: 400,
    going: false,
    leftPercent: 0,
    widthPercent: 80,
    loaded: 5,
    total: 5,
  });
  expect(waterfall.bars[1]).toMatchObject({ leftPercent: 20, widthPercent: 20 });
  expect(presentStage(waterfall)).toMatchObject({ stage: "firmware", durationMs: 100, leftPercent: 80 });
  expect(waterfall.bars[5].startMs).toBeUndefined();
});

test("bars of a finished boot stay on the time line, and later time does not stretch it", () => {
  const waterfall = layOut([{ stage: "userspace", startMs: 900, endMs: 1000 }], 60_000);
  expect(waterfall.totalMs).toBe(1000);
  expect(waterfall.bars[6]).toMatchObject({ leftPercent: 90, widthPercent: 10, going: false });
});

test("a clock that lags behind a stage's start gives no negative bar", () => {
  const waterfall = layOut([{ stage: "images", startMs: 10 }], 5);
  expect(waterfall.bars[0]).toMatchObject({ durationMs: 0, widthPercent: 0 });
});
