import type { Health } from "../health.ts";
import {
  Control,
  SELF_TEST_RESULT_WORDS,
  SELF_TEST_RESULTS,
  SelfTestCode,
  SelfTestResult,
  type SharedState,
} from "../shared_state.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { Status } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";

/** Self-test Code (STC, CDW10 3:0) that ends the operation under way; the others start one. */
const ABORT = 0xf;

/** Device Self-test, section 5.8. */
export function deviceSelfTest(services: AdminServices, command: AdminCommand): AdminResult {
  const { nsid } = command;
  const code = command.cdw10 & 0xf;
  const status = nsid === 0 || nsid === NSID_ALL ? Status.success : services.namespaces.statusOf(nsid);
  if (status !== Status.success) return status;
  if (code === ABORT) {
    services.selfTest.abort(SelfTestResult.abortedByCommand);
    return Status.success;
  }
  if (code !== SelfTestCode.short && code !== SelfTestCode.extended) return Status.invalidField;
  return services.startSelfTest(code, nsid) ? Status.success : Status.selfTestInProgress;
}

const RESULT_BYTES = SELF_TEST_RESULT_WORDS * 4;
const HEADER_BYTES = 4;
/** Valid Diagnostic Information: NSID, failing LBA, status code type and status code. */
const VALID_FAILURE = 0b1111;
const UNRECOVERED_READ_ERROR = { type: 2, code: 0x81 };

/** The vCPU thread's side of Device Self-test: one operation at a time, and the log of the last ones. */
export class SelfTest {
  readonly #shared: SharedState;
  readonly #health: Health;
  readonly #now: () => number;
  #code = 0;

  constructor(shared: SharedState, health: Health, now: () => number) {
    this.#shared = shared;
    this.#health = health;
    this.#now = now;
  }

  get isRunning(): boolean {
    return this.#code !== 0;
  }

  /** Hands a test over to the serving side, which is to be notified. False while one is under way. */
  start(code: number, nsid: number): boolean {
    if (this.isRunning) return false;
    const shared = this.#shared;
    this.#code = code;
    shared.setControl(Control.SELF_TEST_CODE, code);
    shared.setControl(Control.SELF_TEST_NSID, nsid | 0);
    shared.setControl(Control.SELF_TEST_ABORT, 0);
    shared.addControl(Control.SELF_TEST);
    return true;
  }

  /** Ends the test under way, if there is one. */
  abort(result: number): void {
    if (!this.isRunning) return;
    this.#shared.setControl(Control.SELF_TEST_ABORT, this.#shared.getControl(Control.SELF_TEST));
    this.#log(result);
  }

  /** What happens to a namespace, or to all, ends a test of it. */
  abortOf(nsid: number, result: number): void {
    const tested = this.#shared.getControl(Control.SELF_TEST_NSID) >>> 0;
    if (nsid === NSID_ALL || tested === NSID_ALL || tested === nsid) this.abort(result);
  }

  /** A controller level reset ends the short test; the extended one goes on (section 8.11). */
  reset(): void {
    if (this.#code === SelfTestCode.short) this.abort(SelfTestResult.abortedByReset);
  }

  /** Takes notice of a test that has ended. */
  take(): void {
    const shared = this.#shared;
    if (!this.isRunning || shared.getControl(Control.SELF_TEST_ACK) !== shared.getControl(Control.SELF_TEST))
      return;
    this.#log(shared.getControl(Control.SELF_TEST_RESULT));
  }

  #log(result: number): void {
    const shared = this.#shared;
    const entry = new Uint8Array(RESULT_BYTES);
    const view = new DataView(entry.buffer);
    entry[0] = (this.#code << 4) | result;
    view.setBigUint64(4, BigInt(this.#health.poweredHours(this.#now())), true);
    if (result === SelfTestResult.failedInSegment) {
      entry[1] = shared.getControl(Control.SELF_TEST_SEGMENT);
      const nsid = shared.getControl(Control.SELF_TEST_FAILING_NSID) >>> 0;
      if (nsid !== 0) {
        entry[2] = VALID_FAILURE;
        view.setUint32(12, nsid, true);
        view.setUint32(16, shared.getControl(Control.SELF_TEST_FAILING_LBA_LOW), true);
        view.setUint32(20, shared.getControl(Control.SELF_TEST_FAILING_LBA_HIGH), true);
        entry[24] = UNRECOVERED_READ_ERROR.type;
        entry[25] = UNRECOVERED_READ_ERROR.code;
      }
    }
    for (let i = SELF_TEST_RESULTS - 1; i > 0; i--) this.#putResult(i, this.#resultWords(i - 1));
    this.#putResult(0, new Int32Array(entry.buffer));
    this.#code = 0;
  }

  #resultWords(index: number): Int32Array<ArrayBuffer> {
    const at = Control.SELF_TEST_LOG + index * SELF_TEST_RESULT_WORDS;
    return Int32Array.from({ length: SELF_TEST_RESULT_WORDS }, (_, i) => this.#shared.getControl(at + i));
  }

  #putResult(index: number, words: Int32Array): void {
    const at = Control.SELF_TEST_LOG + index * SELF_TEST_RESULT_WORDS;
    for (const [i, word] of words.entries()) this.#shared.setControl(at + i, word);
  }

  /** Device Self-test log, page 06h (figure 198): what is under way, and the last results, newest first. */
  page(): Uint8Array {
    const data = new Uint8Array(HEADER_BYTES + SELF_TEST_RESULTS * RESULT_BYTES);
    data[0] = this.#code;
    if (this.isRunning) data[1] = this.#shared.getControl(Control.SELF_TEST_PROGRESS);
    for (let i = 0; i < SELF_TEST_RESULTS; i++) {
      const at = HEADER_BYTES + i * RESULT_BYTES;
      const words = this.#resultWords(i);
      // Those of tests that were have a code.
      if (words[0] !== 0) data.set(new Uint8Array(words.buffer), at);
      else data[at] = SelfTestResult.unused;
    }
    return data;
  }
}
