/** The command line of `npm run fuzz`. */
import { parseArgs } from "node:util";

export const usage = `npm run fuzz -- [--commands N] [--seed N]

  --commands N  so many commands, in lives of a controller of 400 each (100000)
  --seed N      the same seed and number of commands is the same run (1)`;

export interface Options {
  readonly commands: number;
  readonly seed: number;
  readonly help: boolean;
}

/** A sentence for who typed the command. */
export class UsageError extends Error {}

export function parseOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        commands: { type: "string", default: "100000" },
        seed: { type: "string", default: "1" },
        help: { type: "boolean", default: false },
      },
    });
    return {
      commands: positive("--commands", values.commands),
      seed: positive("--seed", values.seed),
      help: values.help,
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${error instanceof Error ? error.message : error}.`);
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(`${name} needs a number from 1.`);
  return value;
}
