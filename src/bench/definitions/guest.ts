import type { ExecResult } from "../../machine/api.ts";
import type { CounterName } from "../../trace/counters.ts";

export type Counters = Readonly<Record<CounterName, number>>;

/** A booted guest, wherever it runs: what the measuring code needs of it. */
export interface Guest {
  /** Runs a command in the guest's shell. Rejects if the guest ends or does not answer for minutes. */
  exec(command: string): Promise<Pick<ExecResult, "output" | "exitCode">>;
  /** What the device under test counts; absent if it counts nothing. */
  readonly instruments?: Instruments;
  /** Resolves when what was written does not keep anyone busy any more. */
  settle(): Promise<void>;
  /** Ends the guest. */
  close(): Promise<void>;
}

/** Microseconds from the doorbell, or the fetch where none was rung, to the completion queue entry. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
}

export interface Instruments {
  counters(): Promise<Counters>;
  /**
   * The latencies of the device's commands during `run`: their median and 99th percentile in microseconds, undefined if
   * none were seen. Absent where they are not traced.
   */
  latencies?(run: () => Promise<void>): Promise<Latencies | undefined>;
  /** Switches the timing of register accesses on or off (counter `exitTimeUs`); it costs time itself. */
  timeExits(on: boolean): Promise<void>;
}

/** The longest that any command of a benchmark, or a boot, may take on a busy machine. */
export const GUEST_TIMEOUT_MS = 180_000;

/** The promise's result, or a rejection that names what took too long. */
export async function within<T>(promise: Promise<T>, what: string, ms = GUEST_TIMEOUT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
