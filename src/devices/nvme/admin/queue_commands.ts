import { isRam } from "../../guest_memory.ts";
import { CompletionQueue } from "../completion_queue.ts";
import { MAX_IO_QUEUES } from "../shared_state.ts";
import { CQE_BYTES, SQE_BYTES } from "../spec/entries.ts";
import { FeatureId } from "../spec/features.ts";
import { MAX_QUEUE_ENTRIES, PAGE_MASK } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";

/** Creation and deletion of I/O queues: NVMe 1.4, sections 5.3 to 5.6. */

/** CDW10: queue id 15:0, size 31:16 (0's based). */
const queueId = (command: AdminCommand): number => command.cdw10 & 0xffff;
const entries = (command: AdminCommand): number => (command.cdw10 >>> 16) + 1;
/** CDW11 bit 0: physically contiguous. CAP.CQR demands it. */
const CONTIGUOUS = 1;

function checkCreate(services: AdminServices, command: AdminCommand, entryBytes: number): StatusCode {
  // Section 3.1.5: I/O queues are of the entry sizes in CC, of which there is one.
  if (!services.entrySizesAreSet) return Status.queueSizeInvalid;
  if (entries(command) < 2 || entries(command) > MAX_QUEUE_ENTRIES) return Status.queueSizeInvalid;
  if ((command.cdw11 & CONTIGUOUS) === 0) return Status.invalidField;
  if ((command.prp1 & PAGE_MASK) !== 0) return Status.invalidPrpOffset;
  if (!isRam(services.memory, command.prp1, entries(command) * entryBytes)) return Status.invalidField;
  return Status.success;
}

/** Is the id one that Set Features, Number of Queues has granted? `shift` 0 for SQs, 16 for CQs. */
function granted(services: AdminServices, id: number, shift: 0 | 16): boolean {
  const most = ((services.features.get(FeatureId.numberOfQueues) >>> shift) & 0xffff) + 1;
  return id >= 1 && id <= Math.min(most, MAX_IO_QUEUES);
}

export function createIoCq(services: AdminServices, command: AdminCommand): AdminResult {
  const id = queueId(command);
  if (!granted(services, id, 16) || services.completionQueues.get(id)) return Status.queueIdInvalid;
  const status = checkCreate(services, command, CQE_BYTES);
  if (status !== Status.success) return status;
  const interruptsEnabled = (command.cdw11 & 2) !== 0;
  const vector = command.cdw11 >>> 16;
  // A pin has vector 0 alone.
  if (vector >= Math.max(1, services.msixVectors)) return Status.invalidInterruptVector;
  services.completionQueues.add(
    new CompletionQueue(
      services.memory,
      id,
      command.prp1,
      entries(command),
      interruptsEnabled,
      vector,
      services.trace,
    ),
  );
  services.resetShadow("cq", id);
  return Status.success;
}

export function createIoSq(services: AdminServices, command: AdminCommand): AdminResult {
  const id = queueId(command);
  const cqid = command.cdw11 >>> 16;
  if (!granted(services, id, 0) || services.submissionQueues.exists(id)) return Status.queueIdInvalid;
  if (!granted(services, cqid, 16)) return Status.queueIdInvalid;
  const cq = services.completionQueues.get(cqid);
  if (!cq) return Status.cqInvalid;
  const status = checkCreate(services, command, SQE_BYTES);
  if (status !== Status.success) return status;
  cq.submissionQueues += 1;
  services.resetShadow("sq", id);
  services.submissionQueues.start(id, command.prp1, entries(command), cqid);
  return Status.success;
}

/** Completes when the serving side has finished or dropped the last command of the queue. */
export function deleteIoSq(services: AdminServices, command: AdminCommand): AdminResult {
  const id = queueId(command);
  if (id === 0 || !services.submissionQueues.exists(id)) return Status.queueIdInvalid;
  return services.submissionQueues.stop(id, command.cid) ? "pending" : Status.queueIdInvalid;
}

export function deleteIoCq(services: AdminServices, command: AdminCommand): AdminResult {
  const id = queueId(command);
  const cq = services.completionQueues.get(id);
  if (!cq) return Status.queueIdInvalid;
  if (cq.submissionQueues > 0) return Status.invalidQueueDeletion;
  services.completionQueues.delete(id);
  return Status.success;
}
