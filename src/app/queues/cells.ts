/** What the cells of a queue pair show: entries out of guest memory, with what the trace knows of them. */
import type { QueueLook, QueuePairState } from "../../devices/nvme/queue_inspector.ts";
import { commandName, statusName } from "../../devices/nvme/spec/decode.ts";
import { opcodeOf, Sqe } from "../../devices/nvme/spec/entries.ts";
import { NvmOpcode } from "../../devices/nvme/spec/opcodes.ts";
import type { EntryStates } from "./entry_states.ts";
import type { Cell, CommandKind } from "./entry_strip.ts";
import { distance, latest } from "./ring_geometry.ts";

/** So many fit beside a ring. */
const SHOWN = 12;

const nvmKinds: Readonly<Record<number, readonly [CommandKind, string]>> = {
  [NvmOpcode.read]: ["read", "R"],
  [NvmOpcode.write]: ["write", "W"],
  [NvmOpcode.flush]: ["flush", "F"],
  [NvmOpcode.writeZeroes]: ["discard", "Z"],
  [NvmOpcode.datasetManagement]: ["discard", "D"],
};

function kindOf(qid: number, opcode: number): readonly [CommandKind, string] {
  return qid === 0 ? ["admin", "A"] : (nvmKinds[opcode] ?? ["other", "?"]);
}

/** The latest entries of the submission queue. */
export function submissionCells(
  { qid, sq }: QueuePairState,
  inspector: QueueLook,
  states: EntryStates,
): Cell[] {
  return latest(sq.tail, sq.entries, SHOWN).map(index => {
    const words = inspector.sqe(qid, index);
    // A ring that has not come round yet: memory that no command was written to.
    if (!words || words.every(word => word === 0)) return emptyCell(index);
    const opcode = opcodeOf(words[Sqe.CDW0]);
    const [kind, letter] = kindOf(qid, opcode);
    const waits = distance(sq.head, index, sq.entries) < distance(sq.head, sq.tail, sq.entries);
    const known = states.stateOf(qid, index);
    const state = waits ? "waiting" : known === "unknown" ? "posted" : known;
    return {
      index,
      kind,
      letter,
      state,
      description: `Entry ${index}: ${commandName(qid, opcode)}, ${stateWords[state]}`,
    };
  });
}

const stateWords = {
  waiting: "waits to be fetched",
  fetched: "fetched, under way",
  done: "done, not yet answered",
  posted: "answered",
} as const;

/** The latest entries of the completion queue. */
export function completionCells({ cq }: QueuePairState, inspector: QueueLook, states: EntryStates): Cell[] {
  if (!cq) return [];
  return latest(cq.tail, cq.entries, SHOWN).map(index => {
    const words = inspector.cqe(cq.id, index);
    if (!words || words.every(word => word === 0)) return emptyCell(index);
    const command = states.completedBy(cq.id, index);
    const sqe = command && inspector.sqe(command.sqid, command.sqIndex);
    const [kind, letter] = sqe ? kindOf(command.sqid, opcodeOf(sqe[Sqe.CDW0])) : (["other", "·"] as const);
    const unread = distance(cq.head, index, cq.entries) < distance(cq.head, cq.tail, cq.entries);
    const status = words[3] >>> 17;
    return {
      index,
      kind,
      letter: status === 0 ? letter : "!",
      state: unread ? "done" : "posted",
      description:
        `Entry ${index}: ${sqe ? `${commandName(command.sqid, opcodeOf(sqe[Sqe.CDW0]))}, ` : ""}` +
        `${statusName(status)}, ${inspector.knownFields ? "" : `phase ${(words[3] >>> 16) & 1}, `}${unread ? "not yet read by the driver" : "read by the driver"}`,
    };
  });
}

const emptyCell = (index: number): Cell => ({
  index,
  kind: "none",
  letter: "",
  state: "empty",
  description: `Entry ${index}: never used`,
});
