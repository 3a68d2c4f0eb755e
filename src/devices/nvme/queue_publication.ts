import type { AdminQueue } from "./admin/admin_queue.ts";
import type { CompletionQueue } from "./completion_queue.ts";
import { CqWord, MAX_IO_QUEUES, type SharedState, SqState, SqWord } from "./shared_state.ts";

/** While the guest runs and the machine is at full speed, only one in so many safe points publishes: a power of two. */
const SAFE_POINTS = 16;

/**
 * Writes down, for whoever observes the machine, what only the vCPU thread knows: completion queues and the admin queue.
 * There are tens of thousands of safe points a second, and all that is written at them is looked at twenty times a second.
 */
export class QueuePublication {
  readonly #shared: SharedState;
  /** Those whose words are there; the others' ENTRIES are 0. */
  #listed: readonly CompletionQueue[] | undefined;

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  /**
   * At a safe point, the `number`th. `idle`: the guest is about to halt, and there may be none for a long time.
   * `queues` is another array each time that one is made or deleted.
   */
  publish(
    number: number,
    idle: boolean,
    admin: AdminQueue | undefined,
    queues: readonly CompletionQueue[],
  ): void {
    const shared = this.#shared;
    // In slow motion each step is looked at, and the machine stands still between them.
    if (!idle && (number & (SAFE_POINTS - 1)) !== 0 && shared.signals.pace.isFull) return;
    this.#set(0, SqWord.STATE, admin ? SqState.ACTIVE : SqState.ABSENT);
    if (admin) {
      this.#set(0, SqWord.BASE, admin.base | 0);
      this.#set(0, SqWord.ENTRIES, admin.entries);
      this.#set(0, SqWord.HEAD, admin.head);
      this.#set(0, SqWord.TAIL, admin.tail);
      this.#set(0, SqWord.CQID, 0);
    }
    if (queues !== this.#listed) {
      for (let id = 0; id <= MAX_IO_QUEUES; id++) shared.setSq(id, CqWord.ENTRIES, 0);
      this.#listed = queues;
    }
    for (const { id, entries, base, head, tail, phase, waiting } of queues) {
      this.#set(id, CqWord.BASE, base | 0);
      this.#set(id, CqWord.HEAD, head);
      this.#set(id, CqWord.TAIL, tail);
      this.#set(id, CqWord.PHASE, phase);
      this.#set(id, CqWord.WAITING, waiting);
      this.#set(id, CqWord.ENTRIES, entries);
    }
  }

  /** Most words are as they were, and an atomic store takes ten times as long as a load. */
  #set(id: number, word: number, value: number): void {
    if (this.#shared.getSq(id, word) !== value) this.#shared.setSq(id, word, value);
  }
}
