/** The command line. */
import { parseArgs } from "node:util";
import { UsageError } from "../bench/options.ts";

export const usage = `npm run crash -- [--rounds N] [--seed S] [--json FILE]
npm run crash -- --fill MIB

  --rounds N    how often the browser is killed in the middle of writes and started again. Default 20
  --seed S      repeats the plan of an earlier run: what is written, and when the kill comes. Default: a new one
  --json FILE   also writes the rounds as an array of objects
  --fill MIB    instead: fills so much of the scratch disk with random data, reads it back and prints the most memory
                that the browser had; 1024 is all of it`;

export interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly json?: string;
  readonly fillMiB?: number;
  readonly help: boolean;
}

/** Throws UsageError. `newSeed` is used where none is given. */
export function parseOptions(args: readonly string[], newSeed: () => number): Options {
  const { rounds, seed, json, fill, help } = parse(args);
  if (json === "") throw new UsageError("--json needs the name of a file.");
  return {
    rounds: rounds === undefined ? 20 : integer("--rounds", rounds, 1, 100_000),
    seed: seed === undefined ? newSeed() : integer("--seed", seed, 0, 2 ** 32 - 1),
    ...(json !== undefined && { json }),
    ...(fill !== undefined && { fillMiB: integer("--fill", fill, 1, 1024) }),
    help,
  };
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${name} needs a whole number from ${min} to ${max}, not “${text}”.`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: { type: "string" },
        seed: { type: "string" },
        json: { type: "string" },
        fill: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.endsWith(".") ? message : `${message}.`);
  }
}
