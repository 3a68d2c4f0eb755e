import { Counter, type CounterName } from "../../trace/counters.ts";
import {
  Control,
  HEALTH_WORDS,
  SELF_TEST_RESULT_WORDS,
  SELF_TEST_RESULTS,
  type SharedState,
} from "./shared_state.ts";

/** Words behind Control.HEALTH. The vCPU thread writes them; they wrap at 2^32. */
const Word = {
  POWER_CYCLES: 0,
  UNSAFE_SHUTDOWNS: 1,
  /** 1 from enabling until a shutdown is complete. */
  IN_USE: 2,
  MEDIA_ERRORS: 3,
  ERROR_LOG_ENTRIES: 4,
  BUSY_SECONDS: 5,
  POWERED_SECONDS: 6,
  BUSY_MS: 7,
  SANITIZE_STATUS: 8,
  SANITIZE_STATE: 9,
  SANITIZE_CDW10: 10,
  SECTORS_WRITTEN_AT_SANITIZE: 11,
} as const;

/** The counters of I/O that belong to a drive's health, not to one run of it. */
const COUNTERS: readonly CounterName[] = ["reads", "writes", "sectorsRead", "sectorsWritten"];

const SELF_TEST_LOG_WORDS = SELF_TEST_RESULTS * SELF_TEST_RESULT_WORDS;

/**
 * What a drive's SMART log is made of, and its Device Self-test log, as plain words, so that the next run can go on with
 * them (`restoreHealth`). A record without self-test results, as it once was, is one too.
 */
export type HealthRecord = readonly number[];

/** Reads the record of a controller's shared state, from any thread. */
export function saveHealth(shared: SharedState): HealthRecord {
  const words = (at: number, length: number) => Array.from({ length }, (_, i) => shared.getControl(at + i));
  return [
    ...words(Control.HEALTH, HEALTH_WORDS),
    ...COUNTERS.map(name => Atomics.load(shared.counters, Counter[name])),
    ...words(Control.SELF_TEST_LOG, SELF_TEST_LOG_WORDS),
  ];
}

/** Puts a record into a shared state that no controller has taken yet. A record of another layout is ignored. */
export function restoreHealth(shared: SharedState, record: HealthRecord): void {
  const length = HEALTH_WORDS + COUNTERS.length;
  if (record.length !== length && record.length !== length + SELF_TEST_LOG_WORDS) return;
  if (!record.every(Number.isInteger)) return;
  for (let i = 0; i < HEALTH_WORDS; i++) shared.setControl(Control.HEALTH + i, record[i]);
  for (const [i, name] of COUNTERS.entries()) {
    Atomics.store(shared.counters, Counter[name], record[HEALTH_WORDS + i]);
  }
  for (const [i, word] of record.slice(length).entries()) shared.setControl(Control.SELF_TEST_LOG + i, word);
}

/** Counts what SMART / Health Information tells (NVMe 1.4, figure 194). The vCPU thread's. */
export class Health {
  readonly #shared: SharedState;
  #poweredAt: number;
  #busySince: number | undefined;

  /** The controller is switched on. `now` in milliseconds. A run before it that did not end well was an unsafe shutdown. */
  constructor(shared: SharedState, now: number) {
    this.#shared = shared;
    this.#poweredAt = now;
    this.#add(Word.POWER_CYCLES, 1);
    if (this.#get(Word.IN_USE) !== 0) this.#add(Word.UNSAFE_SHUTDOWNS, 1);
    this.inUse = false;
  }

  /** Would a loss of power now be an unsafe shutdown? From enabling until a shutdown is complete. */
  set inUse(inUse: boolean) {
    this.#set(Word.IN_USE, inUse ? 1 : 0);
  }

  get powerCycles(): number {
    return this.#get(Word.POWER_CYCLES);
  }

  get unsafeShutdowns(): number {
    return this.#get(Word.UNSAFE_SHUTDOWNS);
  }

  /** Commands that ended with a media or data integrity error (status code type 2). */
  get mediaErrors(): number {
    return this.#get(Word.MEDIA_ERRORS);
  }

  get errorLogEntries(): number {
    return this.#get(Word.ERROR_LOG_ENTRIES);
  }

  get busyMinutes(): number {
    return Math.floor(this.#get(Word.BUSY_SECONDS) / 60);
  }

  poweredHours(now: number): number {
    this.#countPowered(now);
    return Math.floor(this.#get(Word.POWERED_SECONDS) / 3600);
  }

  /** An error log entry is made; returns its number, from 1. */
  countError(isMediaError: boolean): number {
    if (isMediaError) this.#add(Word.MEDIA_ERRORS, 1);
    this.#add(Word.ERROR_LOG_ENTRIES, 1);
    return this.errorLogEntries;
  }

  /** Of the last Sanitize operation: SanitizeState. */
  get sanitizeState(): number {
    return this.#get(Word.SANITIZE_STATE);
  }

  set sanitizeState(state: number) {
    this.#set(Word.SANITIZE_STATE, state);
  }

  /** … its status as the log has it, its command's CDW10, and the sectors that had been written when it was over. */
  get sanitizeStatus(): number {
    return this.#get(Word.SANITIZE_STATUS);
  }

  set sanitizeStatus(status: number) {
    this.#set(Word.SANITIZE_STATUS, status);
  }

  get sanitizeCdw10(): number {
    return this.#get(Word.SANITIZE_CDW10);
  }

  set sanitizeCdw10(cdw10: number) {
    this.#set(Word.SANITIZE_CDW10, cdw10 | 0);
  }

  get sectorsWrittenAtSanitize(): number {
    return this.#get(Word.SECTORS_WRITTEN_AT_SANITIZE) | 0;
  }

  set sectorsWrittenAtSanitize(sectors: number) {
    this.#set(Word.SECTORS_WRITTEN_AT_SANITIZE, sectors);
  }

  /** Called now and then: whether I/O commands are outstanding. The clock is only asked while they are. */
  sample(busy: boolean, now: () => number): void {
    if (!busy && this.#busySince === undefined) return;
    const time = now();
    if (this.#busySince !== undefined) this.#countBusy(time - this.#busySince);
    this.#busySince = busy ? time : undefined;
    this.#countPowered(time);
  }

  #countBusy(elapsedMs: number): void {
    // Milliseconds are kept apart, as seconds in 32 bits last for a hundred years.
    const ms = this.#get(Word.BUSY_MS) + Math.max(0, Math.round(elapsedMs));
    this.#add(Word.BUSY_SECONDS, Math.floor(ms / 1000));
    this.#set(Word.BUSY_MS, ms % 1000);
  }

  #countPowered(now: number): void {
    const seconds = Math.floor((now - this.#poweredAt) / 1000);
    if (seconds <= 0) return;
    this.#poweredAt += seconds * 1000;
    this.#add(Word.POWERED_SECONDS, seconds);
  }

  #get(word: number): number {
    return this.#shared.getControl(Control.HEALTH + word) >>> 0;
  }

  #add(word: number, amount: number): void {
    if (amount !== 0) this.#shared.addControl(Control.HEALTH + word, amount);
  }

  #set(word: number, value: number): void {
    this.#shared.setControl(Control.HEALTH + word, value);
  }
}
