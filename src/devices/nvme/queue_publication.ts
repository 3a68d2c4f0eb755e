import type { AdminQueue } from "./admin/admin_queue.ts";
import type { CompletionQueue } from "./completion_queue.ts";
import { CqWord, MAX_IO_QUEUES, type SharedState, SqState, SqWord } from "./shared_state.ts";

/** Writes down, for whoever observes the machine, what only the vCPU thread knows: completion queues and the admin queue. */
export function publishQueues(
  shared: SharedState,
  admin: AdminQueue | undefined,
  completionQueue: (id: number) => CompletionQueue | undefined,
): void {
  shared.setSq(0, SqWord.STATE, admin ? SqState.ACTIVE : SqState.ABSENT);
  if (admin) {
    shared.setSq(0, SqWord.BASE, admin.base);
    shared.setSq(0, SqWord.ENTRIES, admin.entries);
    shared.setSq(0, SqWord.HEAD, admin.head);
    shared.setSq(0, SqWord.TAIL, admin.tail);
    shared.setSq(0, SqWord.CQID, 0);
  }
  for (let id = 0; id <= MAX_IO_QUEUES; id++) {
    const cq = id === 0 ? admin?.cq : completionQueue(id);
    shared.setSq(id, CqWord.ENTRIES, cq?.entries ?? 0);
    if (!cq) continue;
    shared.setSq(id, CqWord.BASE, cq.base);
    shared.setSq(id, CqWord.HEAD, cq.head);
    shared.setSq(id, CqWord.TAIL, cq.tail);
    shared.setSq(id, CqWord.PHASE, cq.phase);
    shared.setSq(id, CqWord.WAITING, cq.waiting);
  }
}
