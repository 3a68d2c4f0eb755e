/**
 * A trace that can be read back: what we add to the Trace Event Format's JSON under the key "doorbell". Others skip the
 * key; we read nothing else. Who changes what it means raises VERSION.
 */
import type { TraceRecord } from "./trace_ring.ts";

const FORMAT = "doorbell-trace";
const VERSION = 1;

/** A recording holds fewer. */
export const MAX_SAVED_RECORDS = 300_000;
/** No file that we write is larger: a record takes less than 450 bytes with all that is written for others. */
export const MAX_TRACE_BYTES = 128 * 2 ** 20;
/** Twelve days in microseconds. */
const MAX_TIME = 2 ** 40;
/** Words of a record in the file: kind, time, A to E. */
const RECORD_WORDS = 7;

/** A queue pair as it was when the trace was saved. */
export interface SavedQueue {
  readonly qid: number;
  readonly entries: number;
  readonly cqid: number;
  readonly cqEntries: number;
}

export interface SavedNamespace {
  readonly nsid: number;
  readonly lbaBytes: number;
}

/** What a trace was taken of. */
export interface TraceAbout {
  /** ISO 8601. */
  readonly savedAt: string;
  readonly serving: string;
  readonly shadowDoorbells: string;
  readonly interrupts: string;
  /** The browser, as it names itself. */
  readonly browser: string;
  /** Records that were overwritten before they could be read. */
  readonly lost: number;
  readonly queues: readonly SavedQueue[];
  readonly namespaces: readonly SavedNamespace[];
}

export interface SavedTrace {
  readonly about: TraceAbout;
  /** As straighten() makes them. */
  readonly records: readonly TraceRecord[];
}

/** A sentence for the user: why a file cannot be played. */
export class SavedTraceError extends Error {}

/** The value of the key "doorbell". */
export function savedTrace({ about, records }: SavedTrace) {
  return {
    format: FORMAT,
    version: VERSION,
    about,
    /** Flat, as a quarter of a million of small arrays would take seconds to read. */
    records: [...packRecords(records)],
  };
}

/** Records one after the other, RECORD_WORDS numbers each. */
export function packRecords(records: readonly TraceRecord[]): Float64Array<ArrayBuffer> {
  const words = new Float64Array(records.length * RECORD_WORDS);
  for (const [i, { kind, time, a, b, c, d, e }] of records.entries()) {
    words.set([kind, time, a, b, c, d, e], i * RECORD_WORDS);
  }
  return words;
}

export function unpackRecords(words: Float64Array): TraceRecord[] {
  return Array.from({ length: words.length / RECORD_WORDS }, (_, i) => {
    const [kind, time, a, b, c, d, e] = words.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
    return { kind, time, a, b, c, d, e };
  });
}

/** Reads what traceJson() (src/devices/nvme/trace_files.ts) has written. Throws SavedTraceError, and nothing else. */
export function readSavedTrace(text: string): SavedTrace {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new SavedTraceError("It is no complete JSON file: a trace that was cut off, or something else.");
  }
  const saved = isObject(file) ? file.doorbell : undefined;
  if (!isObject(saved) || saved.format !== FORMAT) {
    throw new SavedTraceError(
      "It was not saved by Doorbell’s timing view, and no other trace has what is needed to play it.",
    );
  }
  if (saved.version !== VERSION) {
    throw new SavedTraceError(
      `It has version ${nameOfVersion(saved.version)} of the format and this page reads version ${VERSION}: reload the page, or open the file with the one that saved it.`,
    );
  }
  return { about: readAbout(saved.about), records: readRecords(saved.records) };
}

/** Not every value of a broken file can be made a string of. */
const nameOfVersion = (version: unknown): string =>
  typeof version === "object" ? "?" : String(version).slice(0, 20);

function readRecords(words: unknown): TraceRecord[] {
  if (!Array.isArray(words) || words.length % RECORD_WORDS !== 0) throw damaged("its records are not whole");
  if (words.length > MAX_SAVED_RECORDS * RECORD_WORDS) {
    throw damaged(`it has more than ${MAX_SAVED_RECORDS.toLocaleString("en-US")} records`);
  }
  const records: TraceRecord[] = [];
  let before = 0;
  for (let at = 0; at < words.length; at += RECORD_WORDS) {
    const [kind, time, a, b, c, d, e] = words.slice(at, at + RECORD_WORDS);
    const number = at / RECORD_WORDS;
    if (!isInteger(kind, 1, 0xff)) throw damaged(`record ${number} has no kind`);
    if (!isInteger(time, before, MAX_TIME)) throw damaged(`record ${number} is not in the order of time`);
    if (![a, b, c, d, e].every(word => isInteger(word, -(2 ** 31), 2 ** 31 - 1))) {
      throw damaged(`record ${number} has a value that is no 32-bit number`);
    }
    before = time;
    records.push({ kind, time, a, b, c, d, e });
  }
  return records;
}

function readAbout(about: unknown): TraceAbout {
  if (!isObject(about)) throw damaged("it does not say what was traced");
  const text = (name: string) => {
    const value = about[name];
    if (typeof value !== "string" || value.length > 500) throw damaged(`“${name}” is no text`);
    return value;
  };
  const list = (name: string): readonly Readonly<Record<string, unknown>>[] => {
    const value = about[name];
    if (!Array.isArray(value) || value.length > 1024 || !value.every(isObject)) {
      throw damaged(`“${name}” is no list`);
    }
    return value;
  };
  const integer = (of: Readonly<Record<string, unknown>>, name: string, least: number, most: number) => {
    const value = of[name];
    if (!isInteger(value, least, most)) throw damaged(`“${name}” is no number from ${least} to ${most}`);
    return value;
  };
  if (Number.isNaN(Date.parse(text("savedAt")))) throw damaged("“savedAt” is no time");
  return {
    savedAt: text("savedAt"),
    serving: text("serving"),
    shadowDoorbells: text("shadowDoorbells"),
    interrupts: text("interrupts"),
    browser: text("browser"),
    lost: integer(about, "lost", 0, Number.MAX_SAFE_INTEGER),
    queues: list("queues").map(queue => ({
      qid: integer(queue, "qid", 0, 0xffff),
      entries: integer(queue, "entries", 2, 0x10000),
      cqid: integer(queue, "cqid", 0, 0xffff),
      cqEntries: integer(queue, "cqEntries", 2, 0x10000),
    })),
    namespaces: list("namespaces").map(namespace => ({
      nsid: integer(namespace, "nsid", 1, 0xffff_ffff),
      lbaBytes: integer(namespace, "lbaBytes", 512, 2 ** 20),
    })),
  };
}

const damaged = (what: string) => new SavedTraceError(`It is damaged: ${what}.`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isInteger = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
