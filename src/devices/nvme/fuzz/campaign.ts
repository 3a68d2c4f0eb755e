import { Chaos } from "./chaos.ts";
import { Coverage } from "./coverage.ts";
import { Episode } from "./episode.ts";
import { Random } from "./random.ts";

/** Commands of one controller's life. */
const EPISODE_COMMANDS = 400;

export interface CampaignOptions {
  readonly seed: number;
  readonly commands: number;
  /** Called after each episode, with the commands so far. */
  readonly progress?: (commands: number, coverage: Coverage) => void;
}

/** An invariant that did not hold: what, in which episode, and the last steps before it. */
export class Violation extends Error {
  readonly steps: readonly string[];

  constructor(seed: number, episode: number, cause: unknown, steps: readonly string[]) {
    super(`seed ${seed}, episode ${episode}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.steps = steps;
  }
}

/**
 * Many episodes, each with what those before have learnt. The same seed and number of commands is the same campaign.
 * Throws Violation.
 */
export async function campaign({
  seed,
  commands,
  progress,
}: CampaignOptions): Promise<{ commands: number; coverage: Coverage }> {
  const coverage = new Coverage();
  let done = 0;
  for (let number = 0; done < commands; number++) {
    const random = new Random(seed * 0x10001 + number);
    const kind = random.oneIn(6) ? Chaos : Episode;
    const episode = await kind.create(random, coverage);
    try {
      await episode.run(Math.min(EPISODE_COMMANDS, commands - done));
    } catch (error) {
      throw new Violation(seed, number, error, episode.log);
    }
    done += episode.commands;
    progress?.(done, coverage);
  }
  return { commands: done, coverage };
}
