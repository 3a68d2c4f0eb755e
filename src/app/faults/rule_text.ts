/** Fault rules in words. */
import type { FaultActionName, FaultRule, FiredFault } from "../../devices/nvme/faults/rules.ts";
import { statusOf } from "../../devices/nvme/faults/rules.ts";
import { commandName, hex, statusName } from "../../devices/nvme/spec/decode.ts";
import { AdminOpcode, NvmOpcode } from "../../devices/nvme/spec/opcodes.ts";

export const actionNames: Readonly<Record<FaultActionName, string>> = {
  delay: "Delay",
  fail: "Fail",
  drop: "Drop the completion of",
  corrupt: "Corrupt the data of",
  duplicate: "Complete twice",
  stall: "Stall the iothread before",
  interrupt: "Spurious interrupt after",
  fatal: "Fatal status at",
  remove: "Pull the controller out at",
};

const atOnce: Partial<Record<FaultActionName, string>> = {
  interrupt: "Spurious interrupt, once",
  fatal: "Fatal status, at once",
  remove: "Controller pulled out",
};

/** "Delay Read in namespace 2 by 300 ms, at most 1×". */
export function ruleText(rule: FaultRule): string {
  if (rule.now) return atOnce[rule.action] ?? rule.action;
  return `${actionNames[rule.action]} ${subject(rule)}${detail(rule)}${conditions(rule)}`;
}

function subject({ command, queue, nsid, lba }: FaultRule): string {
  const where = [
    typeof queue === "number" && queue > 0 ? ` of queue ${queue}` : "",
    nsid === undefined ? "" : ` in namespace ${nsid}`,
    lba === undefined ? "" : ` at blocks ${lba[0]}–${lba[1]}`,
  ].join("");
  return `${commandText(command, queue)}${where}`;
}

function commandText(command: FaultRule["command"], queue: FaultRule["queue"]): string {
  const isAdmin = queue === "admin" || queue === 0;
  if (command === undefined) return isAdmin ? "any admin command" : "any I/O command";
  if (typeof command === "number") return commandName(isAdmin ? 0 : 1, command);
  const nvm: Readonly<Record<string, number>> = NvmOpcode;
  const admin: Readonly<Record<string, number>> = AdminOpcode;
  return Object.hasOwn(nvm, command) && !isAdmin
    ? commandName(1, nvm[command])
    : commandName(0, admin[command] ?? -1);
}

function detail(rule: FaultRule): string {
  switch (rule.action) {
    case "delay":
    case "stall":
      return ` by ${rule.ms} ms`;
    case "fail":
      return ` with ${statusName(statusOf(rule))}`;
    case "corrupt":
      return `, ${rule.bytes ?? 1} ${(rule.bytes ?? 1) === 1 ? "byte" : "bytes"}`;
    default:
      return "";
  }
}

function conditions({ skip = 0, count, probability = 1 }: FaultRule): string {
  return [
    probability === 1 ? "" : `, ${Math.round(probability * 1000) / 10} % of them`,
    skip === 0 ? "" : `, after the first ${skip}`,
    count === undefined ? "" : `, at most ${count}×`,
  ].join("");
}

/** What a fault has hit: "Read, namespace 2, block 8, queue 1, command 41". */
export function hitText({ command }: FiredFault): string {
  if (!command) return "no command";
  const { qid, cid, opcode, nsid, lba } = command;
  return [
    commandName(qid, opcode),
    nsid === 0 ? "" : `namespace ${nsid === 0xffffffff ? "all" : nsid}`,
    lba === undefined ? "" : `block ${lba}`,
    qid === 0 ? "admin queue" : `queue ${qid}`,
    `command ${hex(cid, 4)}`,
  ]
    .filter(part => part !== "")
    .join(", ");
}
