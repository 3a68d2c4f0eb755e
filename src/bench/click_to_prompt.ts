/** The time from a click to the shell prompt: with nothing there, and on later visits. */
import type { BootStageTiming } from "../machine/api.ts";
import { Browser, bootPage } from "./browser_guest.ts";
import { makeRow, type Row } from "./definitions/measure.ts";
import { defaultSystem } from "./definitions/systems.ts";

export interface ClickToPrompt {
  /** "first-start" (download, seed, boot) and "start" (the disk is there already). */
  readonly rows: readonly Row[];
  /** Where the time of the last visit went. */
  readonly stages: readonly BootStageTiming[];
}

/** Visits the page twice with each of so many empty profiles; each visit has a browser process of its own. */
export async function measureClickToPrompt(address: string, visitors: number): Promise<ClickToPrompt> {
  const first: number[] = [];
  const again: number[] = [];
  let stages: readonly BootStageTiming[] = [];
  for (let i = 0; i < visitors; i++) {
    const browser = new Browser();
    try {
      first.push((await bootPage(await browser.page(), address)).ms);
      await browser.quit();
      const visit = await bootPage(await browser.page(), address);
      again.push(visit.ms);
      stages = visit.stages;
    } finally {
      await browser.dispose();
    }
  }
  return {
    rows: [
      makeRow(defaultSystem, "first-start", "time", "ms", first),
      makeRow(defaultSystem, "start", "time", "ms", again),
    ],
    stages,
  };
}

export function clickToPromptLines({ rows, stages }: ClickToPrompt): readonly string[] {
  const titles: Readonly<Record<string, string>> = { "first-start": "first visit", start: "later visits" };
  return [
    "Click to prompt, a new browser process each time",
    ...rows.map(
      ({ job, median, min, max, runs }) =>
        `  ${titles[job].padEnd(13)} ${median.toFixed(0).padStart(6)} ms (${runs === 1 ? "one run" : `${min.toFixed(0)}–${max.toFixed(0)}, ${runs} runs`})`,
    ),
    `  of one later visit: ${stages.map(stageText).join(", ")}`,
  ];
}

function stageText({ stage, startMs, endMs }: BootStageTiming): string {
  return `${stage} ${startMs.toFixed(0)}–${(endMs ?? startMs).toFixed(0)}`;
}
