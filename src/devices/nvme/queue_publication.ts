import type { AdminQueue } from "./admin/admin_queue.ts";
import type { CompletionQueue } from "./completion_queue.ts";
import type { ShadowDoorbells } from "./shadow_doorbells.ts";
import { CqWord, MAX_IO_QUEUES, type SharedState, SqState, SqWord } from "./shared_state.ts";

/**
 * Writes down, for whoever observes the machine, what only the vCPU thread knows: completion queues and the admin queue, all
 * as of one safe point. Only when somebody is about to look: there are tens of thousands of safe points a second.
 */
export class QueuePublication {
  readonly #shared: SharedState;
  readonly #shadows: ShadowDoorbells;
  /** Number of the look that was answered last. */
  #answered = 0;
  /** Those whose words are there; the others' ENTRIES are 0. */
  #listed: readonly CompletionQueue[] | undefined;

  constructor(shared: SharedState, shadows: ShadowDoorbells) {
    this.#shared = shared;
    this.#shadows = shadows;
  }

  /** Is there a look that was not answered? */
  get isDue(): boolean {
    return this.#shared.signals.looks !== this.#answered;
  }

  /** At a safe point. `queues` is another array each time that one is made or deleted. */
  publish(admin: AdminQueue | undefined, queues: readonly CompletionQueue[]): void {
    const shared = this.#shared;
    // First: a look that comes while this writes is answered at the next safe point.
    this.#answered = shared.signals.looks;
    shared.setSq(0, SqWord.STATE, admin ? SqState.ACTIVE : SqState.ABSENT);
    if (admin) {
      shared.setSq(0, SqWord.BASE, admin.base | 0);
      shared.setSq(0, SqWord.ENTRIES, admin.entries);
      shared.setSq(0, SqWord.HEAD, admin.head);
      shared.setSq(0, SqWord.TAIL, admin.tail);
      shared.setSq(0, SqWord.CQID, 0);
    }
    if (queues !== this.#listed) {
      for (let id = 0; id <= MAX_IO_QUEUES; id++) shared.setSq(id, CqWord.ENTRIES, 0);
      this.#listed = queues;
    }
    for (const { id, entries, base, head, tail, phase, waiting } of queues) {
      const { shadow, eventIdx } = this.#shadows.headWords(id);
      shared.setSq(id, CqWord.BASE, base | 0);
      shared.setSq(id, CqWord.HEAD, head);
      shared.setSq(id, CqWord.TAIL, tail);
      shared.setSq(id, CqWord.PHASE, phase);
      shared.setSq(id, CqWord.WAITING, waiting);
      shared.setSq(id, CqWord.SHADOW, shadow);
      shared.setSq(id, CqWord.EVENT_IDX, eventIdx);
      shared.setSq(id, CqWord.ENTRIES, entries);
    }
  }
}
