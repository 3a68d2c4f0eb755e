import { MAX_IO_QUEUES } from "../shared_state.ts";
import { AdminOpcode, NvmOpcode } from "../spec/opcodes.ts";
import type { FaultActionName, FaultRule } from "./rules.ts";

/** A rule that says what it should not; the message says which and why. */
export class FaultRuleError extends Error {
  override readonly name = "FaultRuleError";
}

/** A rule's conditions, ready to be compared. -1 stands for any. */
export interface CompiledRule {
  /** Of the admin queue: the vCPU thread's to apply. All others are the serving side's. */
  readonly isAdmin: boolean;
  readonly queue: number;
  readonly opcode: number;
  readonly nsid: number;
  readonly firstLba: number;
  readonly lastLba: number;
  readonly skip: number;
  readonly count: number;
  readonly probability: number;
  readonly seed: number;
  readonly now: boolean;
}

const actionFields: Readonly<Record<FaultActionName, readonly string[]>> = {
  delay: ["ms"],
  fail: ["sct", "sc", "dnr"],
  drop: [],
  corrupt: ["bytes"],
  duplicate: [],
  stall: ["ms"],
  interrupt: [],
  fatal: [],
  remove: [],
};
const conditions = ["command", "queue", "nsid", "lba", "skip", "count", "probability", "seed", "now"];
const mayBeNow: readonly FaultActionName[] = ["interrupt", "fatal", "remove"];

/** Longest delay, and longest stand-still of a thread, in milliseconds. */
export const MAX_DELAY_MS = 600_000;
export const MAX_STALL_MS = 10_000;
const MAX_CORRUPT_BYTES = 4096;

/** The opcodes that "corrupt" may befall. */
export const movesData = (opcode: number): boolean => opcode === NvmOpcode.read || opcode === NvmOpcode.write;

/** Checks a rule, wherever it came from. Throws FaultRuleError. */
export function compileRule(rule: FaultRule): CompiledRule {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) {
    throw new FaultRuleError(
      `A fault rule is an object such as { action: "drop", command: "read" }, not ${show(rule)}.`,
    );
  }
  const fields = actionFields[rule.action];
  if (!Object.hasOwn(actionFields, rule.action)) {
    throw new FaultRuleError(
      `action: ${show(rule.action)} is none of ${Object.keys(actionFields).map(show).join(", ")}.`,
    );
  }
  const known = ["action", ...fields, ...conditions];
  for (const [name, value] of Object.entries(rule)) {
    if (value !== undefined && !known.includes(name)) {
      throw new FaultRuleError(`${name}: a rule with action ${show(rule.action)} has no such field.`);
    }
  }
  checkAction(rule);
  const compiled = compileConditions(rule);
  if (compiled.now) checkNow(rule);
  if (compiled.isAdmin && (rule.action === "stall" || rule.action === "corrupt")) {
    throw new FaultRuleError(`queue: ${show(rule.action)} is for I/O queues, not for the admin queue.`);
  }
  if (rule.action === "corrupt" && compiled.opcode >= 0 && !movesData(compiled.opcode)) {
    throw new FaultRuleError(
      `command: "corrupt" needs data to corrupt: "read" or "write", not ${show(rule.command)}.`,
    );
  }
  return compiled;
}

function checkAction(rule: FaultRule): void {
  switch (rule.action) {
    case "delay":
      whole("ms", rule.ms, 1, MAX_DELAY_MS);
      return;
    case "stall":
      whole("ms", rule.ms, 1, MAX_STALL_MS);
      return;
    case "fail":
      whole("sct", rule.sct, 0, 7);
      whole("sc", rule.sc, 0, 0xff);
      flag("dnr", rule.dnr);
      if (rule.sct === 0 && rule.sc === 0) {
        throw new FaultRuleError("sc: status code 0 of type 0 is success; a fault needs another one.");
      }
      return;
    case "corrupt":
      if (rule.bytes !== undefined) whole("bytes", rule.bytes, 1, MAX_CORRUPT_BYTES);
      return;
  }
}

function checkNow(rule: FaultRule): void {
  if (!mayBeNow.includes(rule.action)) {
    throw new FaultRuleError(
      `now: ${show(rule.action)} happens to commands; only ${mayBeNow.map(show).join(", ")} can happen at once.`,
    );
  }
  const other = Object.entries(rule).find(
    ([name, value]) => value !== undefined && name !== "now" && conditions.includes(name),
  );
  if (other) throw new FaultRuleError(`${other[0]}: a rule with now: true has no other condition.`);
}

function compileConditions(rule: FaultRule): CompiledRule {
  const { command, nsid, lba, skip = 0, count, probability = 1, seed = 1, now = false } = rule;
  if (nsid !== undefined) whole("nsid", nsid, 1, 0xffffffff);
  if (lba !== undefined) checkLba(lba);
  whole("skip", skip, 0, Number.MAX_SAFE_INTEGER);
  if (count !== undefined) whole("count", count, 1, Number.MAX_SAFE_INTEGER);
  if (typeof probability !== "number" || !(probability > 0 && probability <= 1)) {
    throw new FaultRuleError(`probability: ${show(probability)} is not above 0 and at most 1.`);
  }
  whole("seed", seed, 0, 0xffffffff);
  flag("now", now);
  const { isAdmin, queue } = compileQueue(rule);
  return {
    isAdmin,
    queue,
    opcode: command === undefined ? -1 : opcodeNamed(command, isAdmin),
    nsid: nsid ?? -1,
    firstLba: lba?.[0] ?? -1,
    lastLba: lba?.[1] ?? -1,
    skip,
    count: count ?? Number.POSITIVE_INFINITY,
    probability,
    seed,
    now,
  };
}

function compileQueue({ queue, command }: FaultRule): { isAdmin: boolean; queue: number } {
  if (queue === undefined) {
    const isAdmin =
      typeof command === "string" &&
      !Object.hasOwn(NvmOpcode, command) &&
      Object.hasOwn(AdminOpcode, command);
    return { isAdmin, queue: -1 };
  }
  if (queue === "io" || queue === "admin") return { isAdmin: queue === "admin", queue: -1 };
  whole("queue", queue, 0, MAX_IO_QUEUES, '"io", "admin" or ');
  return { isAdmin: queue === 0, queue };
}

function opcodeNamed(command: string | number, isAdmin: boolean): number {
  if (typeof command === "number") {
    whole("command", command, 0, 0xff);
    return command;
  }
  const names: Readonly<Record<string, number>> = isAdmin ? AdminOpcode : NvmOpcode;
  if (typeof command === "string" && Object.hasOwn(names, command)) return names[command];
  const kind = isAdmin ? "admin" : "NVM";
  throw new FaultRuleError(
    `command: ${show(command)} is no ${kind} command: ${Object.keys(names).join(", ")}, or an opcode from 0 to 255.`,
  );
}

function checkLba(lba: unknown): void {
  if (!Array.isArray(lba) || lba.length !== 2) {
    throw new FaultRuleError(`lba: ${show(lba)} is not [first block, last block].`);
  }
  whole("lba", lba[0], 0, Number.MAX_SAFE_INTEGER);
  whole("lba", lba[1], 0, Number.MAX_SAFE_INTEGER);
  if (lba[0] > lba[1])
    throw new FaultRuleError(`lba: the first block, ${lba[0]}, is behind the last one, ${lba[1]}.`);
}

function whole(field: string, value: unknown, least: number, most: number, or = ""): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  throw new FaultRuleError(`${field}: ${show(value)} is not ${or}a whole number ${range}.`);
}

function flag(field: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new FaultRuleError(`${field}: ${show(value)} is not true or false.`);
}

/** As it would be typed. */
const show = (value: unknown): string => JSON.stringify(value) ?? String(value);
