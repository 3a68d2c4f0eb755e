/** The command line. */
import { parseArgs } from "node:util";
import { CLICK_TO_PROMPT, label, systems } from "./definitions/systems.ts";

export const usage = `npm run bench -- [--quick] [--json FILE] [--only TEXT]
npm run bench -- views [--quick]: what the queue view and the timing view cost dd when they are open
npm run bench -- storage [--quick]: the storage stack against bare loops over IndexedDB and over OPFS, without a guest

  --quick       fewer rows, dd alone, fewer and shorter runs: under three minutes
  --json FILE   also writes the figures as an array of objects
  --only TEXT   only rows whose label contains the text; may be repeated, or several with commas between.
                "${CLICK_TO_PROMPT}" is a row too. Labels:
${systems.map(system => `                  ${label(system)}`).join("\n")}`;

export interface Options {
  readonly quick: boolean;
  readonly help: boolean;
  /** Something else than rows: the storage stack alone, or what open views cost. */
  readonly part?: "storage" | "views";
  /** Empty for all rows. */
  readonly only: readonly string[];
  readonly json?: string;
}

const parts = ["storage", "views"] as const;

/** A sentence for who typed the command. */
export class UsageError extends Error {}

export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const { quick, help, json, only } = values;
  const part = parts.find(name => name === positionals[0]);
  if (positionals.length > (part ? 1 : 0)) {
    throw new UsageError(
      `“${positionals[part ? 1 : 0]}” is nothing that can be measured; “storage” and “views” are.`,
    );
  }
  if (part && (json !== undefined || only.length > 0)) throw new UsageError(`${part} takes only --quick.`);
  const texts = only.flatMap(text => text.split(",")).map(text => text.trim());
  if (texts.includes("")) throw new UsageError("--only needs a text.");
  if (json === "") throw new UsageError("--json needs the name of a file.");
  for (const text of texts) {
    if (![CLICK_TO_PROMPT, ...systems.map(label)].some(name => name.includes(text)))
      throw new UsageError(`No row's label contains “${text}”.`);
  }
  return { quick, help, ...(part && { part }), only: texts, ...(json !== undefined && { json }) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        json: { type: "string" },
        only: { type: "string", multiple: true, default: [] },
      },
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.endsWith(".") ? message : `${message}.`);
  }
}
