/** The time from a click to the shell prompt: with nothing there, and on later visits, booted and from the shipped snapshot. */
import type { BootStageTiming } from "../machine/api.ts";
import { Browser, bootPage } from "./browser_guest.ts";
import { makeRow, type Row } from "./definitions/measure.ts";
import { defaultSystem } from "./definitions/systems.ts";

export interface ClickToPrompt {
  /**
   * "first-start" (download, seed, boot) and "start" (the disk is there already); "first-resume" and "resume" with the shipped
   * snapshot in place of the boot.
   */
  readonly rows: readonly Row[];
  /** Where the time of the last boot went. */
  readonly stages: readonly BootStageTiming[];
}

/** Visits the page twice with each of so many pairs of empty profiles; each visit has a browser process of its own. */
export async function measureClickToPrompt(address: string, visitors: number): Promise<ClickToPrompt> {
  const boots = new Visits(`${address}?start=boot`);
  const resumes = new Visits(address);
  for (let i = 0; i < visitors; i++) {
    await boots.visit();
    await resumes.visit();
  }
  return {
    rows: [
      makeRow(defaultSystem, "first-start", "time", "ms", boots.first),
      makeRow(defaultSystem, "start", "time", "ms", boots.again),
      makeRow(defaultSystem, "first-resume", "time", "ms", resumes.first),
      makeRow(defaultSystem, "resume", "time", "ms", resumes.again),
    ],
    stages: boots.stages,
  };
}

class Visits {
  readonly #address: string;
  readonly first: number[] = [];
  readonly again: number[] = [];
  stages: readonly BootStageTiming[] = [];

  constructor(address: string) {
    this.#address = address;
  }

  async visit(): Promise<void> {
    const browser = new Browser();
    try {
      const page = await browser.page();
      this.first.push((await bootPage(page, this.#address)).ms);
      // With the shipped snapshot the disk is filled behind the prompt; this waits for it.
      await page.evaluate(() => window.doorbell?.exec("nvme list && sync"));
      await browser.quit();
      const { ms, stages } = await bootPage(await browser.page(), this.#address);
      this.again.push(ms);
      this.stages = stages;
    } finally {
      await browser.dispose();
    }
  }
}

export function clickToPromptLines({ rows, stages }: ClickToPrompt): readonly string[] {
  const titles: Readonly<Record<string, string>> = {
    "first-start": "first visit, booted",
    start: "later visits, booted",
    "first-resume": "first visit, from the shipped snapshot",
    resume: "later visits, from the shipped snapshot",
  };
  return [
    "Click to prompt, a new browser process each time",
    ...rows.map(
      ({ job, median, min, max, runs }) =>
        `  ${titles[job].padEnd(40)} ${median.toFixed(0).padStart(6)} ms (${runs === 1 ? "one run" : `${min.toFixed(0)}–${max.toFixed(0)}, ${runs} runs`})`,
    ),
    `  of one later boot: ${stages.map(stageText).join(", ")}`,
  ];
}

function stageText({ stage, startMs, endMs }: BootStageTiming): string {
  return `${stage} ${startMs.toFixed(0)}–${(endMs ?? startMs).toFixed(0)}`;
}
