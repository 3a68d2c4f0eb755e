import { TraceKind } from "../../trace/trace_ring.ts";
import { StageTimer, Step } from "../pace.ts";
import { MAX_IO_QUEUES, type SharedState, SqState, SqWord } from "./shared_state.ts";

/**
 * Slow motion in the controller: a gate before each fetch (serving side) and one before each posting (vCPU side). They
 * are asked only while the machine does not go at full speed (Pace.isFull). A gate never waits: what it holds back is
 * asked for again, so that a reset, a shutdown or the end of the machine is not held up.
 *
 * A step ends with the first event of its kind, and lets pass what that event needs: to be answered, a command has to be
 * fetched first; before its next doorbell, a guest may need an answer.
 */

/** I/O commands that were fetched and not posted. */
function inFlight(shared: SharedState): number {
  let total = 0;
  for (let qid = 1; qid <= MAX_IO_QUEUES; qid++) {
    // A queue that a reset took away may have left commands that will never be posted.
    if (shared.getSq(qid, SqWord.STATE) !== SqState.ABSENT) total += shared.inFlight(qid);
  }
  return total;
}

/** Serving side: before an I/O command is fetched. */
export class FetchGate {
  readonly #shared: SharedState;
  readonly #timer: StageTimer;
  /** Tails that were seen: one that is new is a doorbell, rung or not. */
  readonly #seen = new Int32Array(MAX_IO_QUEUES + 1).fill(-1);
  #holds = false;

  constructor(shared: SharedState, now: () => number) {
    this.#shared = shared;
    this.#timer = new StageTimer(shared.signals.pace, now);
  }

  /** Are entries held back? There is no use in looking for more. */
  get holds(): boolean {
    return !this.#shared.signals.pace.isFull && this.#holds;
  }

  /** Are they to be looked at again before long, without a signal? */
  get isWaiting(): boolean {
    return this.holds && !this.#shared.signals.pace.isStanding;
  }

  /** A look at the queues begins. */
  begin(): void {
    this.#holds = false;
  }

  /** The look is over. */
  end(): void {
    const { pace } = this.#shared.signals;
    if (pace.holdsFetches !== this.#holds) pace.holdsFetches = this.#holds;
  }

  /** May one entry of the queue, which is filled up to `tail`, be fetched now? */
  mayFetch(qid: number, tail: number): boolean {
    this.#holds = !(this.#isNews(qid, tail) ? this.#announced() : this.#mayPass());
    return !this.#holds;
  }

  #isNews(qid: number, tail: number): boolean {
    if (this.#seen[qid] === tail) return false;
    this.#seen[qid] = tail;
    const { serverTrace } = this.#shared;
    if (serverTrace.isOn && tail !== this.#shared.getSq(qid, SqWord.RUNG_TAIL)) {
      serverTrace.record(TraceKind.shadowSeen, qid, tail);
    }
    return true;
  }

  /** A tail in the shadow buffer is a doorbell too. (One that was rung has ended the step already.) */
  #announced(): boolean {
    const { pace } = this.#shared.signals;
    if (!pace.isStanding || pace.step !== Step.doorbell) return this.#mayPass();
    if (pace.take(Step.doorbell)) this.#shared.vcpuNotifier.set();
    return false;
  }

  #mayPass(): boolean {
    const { completions, signals } = this.#shared;
    const { pace } = signals;
    if (!pace.isStanding) return this.#timer.isOver();
    switch (pace.step) {
      case Step.doorbell:
        return true;
      case Step.fetch: {
        const taken = pace.take(Step.fetch);
        // The guest may have been let run for it.
        if (taken) this.#shared.vcpuNotifier.set();
        return taken;
      }
      case Step.completion:
        return completions.length === 0 && inFlight(this.#shared) === 0;
      default:
        return false;
    }
  }
}

/** vCPU side: before a completion is posted, and before an admin command is run. */
export class PostGate {
  readonly #shared: SharedState;
  readonly #timer: StageTimer;
  readonly #hasUnfetched: () => boolean;

  /** `hasUnfetched`: are there entries that were announced and not fetched? */
  constructor(shared: SharedState, now: () => number, hasUnfetched: () => boolean) {
    this.#shared = shared;
    this.#timer = new StageTimer(shared.signals.pace, now);
    this.#hasUnfetched = hasUnfetched;
  }

  mayPost(): boolean {
    const { pace } = this.#shared.signals;
    if (!pace.isStanding) return this.#timer.isOver();
    switch (pace.step) {
      case Step.doorbell:
        return true;
      case Step.fetch:
        return !this.#hasUnfetched();
      default:
        return pace.take(Step.completion);
    }
  }

  /** Admin commands are fetched, run and answered in one step, of either kind. */
  mayRunAdmin(): boolean {
    const { pace } = this.#shared.signals;
    if (!pace.isStanding || pace.step === Step.doorbell) return true;
    return pace.take(Step.fetch) || pace.take(Step.completion);
  }

  /** Must the guest's CPU run for the step that is going on, because the controller has nothing for it? */
  get needsGuest(): boolean {
    const { completions, signals } = this.#shared;
    switch (signals.pace.step) {
      case Step.doorbell:
        return true;
      case Step.fetch:
        return !this.#hasUnfetched();
      case Step.completion:
        return !this.#hasUnfetched() && completions.length === 0 && inFlight(this.#shared) === 0;
      default:
        return false;
    }
  }
}
