import { addCounter, Counter } from "../../../trace/counters.ts";
import { TraceKind, type Tracer } from "../../../trace/trace_ring.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { type CompiledRule, compileRule, movesData } from "./compile_rule.ts";
import {
  type ArmedRule,
  type FaultAction,
  type FaultedCommand,
  type FaultReport,
  FIRED_KEPT,
  type FiredFault,
} from "./rules.ts";

/** What a rule is held against: an I/O request, or an admin command with queue 0. */
export interface FaultSubject {
  readonly qid: number;
  readonly cid: number;
  readonly opcode: number;
  readonly nsid: number;
  readonly cdw10: number;
  readonly cdw11: number;
  readonly cdw12: number;
}

export interface FaultPlanOptions {
  /** The vCPU thread's rules, which are those of the admin queue and those with `now`; or the I/O queues'. */
  readonly isVcpu: boolean;
  readonly counters: Int32Array;
  readonly trace: Tracer;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** A rule with what it has seen. */
interface LiveRule {
  readonly id: number;
  readonly action: FaultAction;
  readonly when: CompiledRule;
  readonly random: () => number;
  /** Commands that matched, and faults. */
  matched: number;
  fired: number;
}

/** A rule that fired. `random` are the rule's own numbers, from 0 up to 1. */
export interface Fault {
  readonly id: number;
  readonly action: FaultAction;
  readonly random: () => number;
}

/** Opcodes with a starting LBA in CDW10 and CDW11 and a number of blocks in CDW12. */
const withBlocks: ReadonlySet<number> = new Set([
  NvmOpcode.write,
  NvmOpcode.read,
  NvmOpcode.writeUncorrectable,
  NvmOpcode.compare,
  NvmOpcode.writeZeroes,
  NvmOpcode.verify,
]);

/** The rules of one thread: which of them hits a command, how often each has, and what it hit. */
export class FaultPlan {
  readonly #options: FaultPlanOptions;
  #rules: readonly LiveRule[] = [];
  readonly #fired: FiredFault[] = [];

  constructor(options: FaultPlanOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Is this one of its rules? */
  has(id: number): boolean {
    return this.#rules.some(rule => rule.id === id);
  }

  /**
   * Puts these rules in place of those before; of each the other thread's are left out, and one that was armed already
   * goes on with its counts. Returns those with `now` that are new. Throws FaultRuleError, and nothing has changed.
   */
  set(armed: readonly ArmedRule[]): Fault[] {
    const before = new Map(this.#rules.map(rule => [rule.id, rule]));
    this.#rules = armed
      .map(({ id, rule }) => before.get(id) ?? newRule(id, rule, compileRule(rule)))
      .filter(({ when }) => (when.isAdmin || when.now) === this.#options.isVcpu);
    return this.#rules.filter(({ id, when }) => when.now && !before.has(id));
  }

  /** The rule that hits a command. It counts as fired. */
  match(command: FaultSubject): Fault | undefined {
    for (const rule of this.#rules) {
      if (!fits(rule, command)) continue;
      rule.matched += 1;
      if (rule.matched <= rule.when.skip || rule.fired >= rule.when.count) continue;
      if (rule.when.probability < 1 && rule.random() >= rule.when.probability) continue;
      this.report(rule, command);
      return rule;
    }
    return undefined;
  }

  /** Notes that a rule has fired, at a command or, without one, at once. */
  report(fault: Fault, command?: FaultSubject): void {
    const { counters, trace, clock } = this.#options;
    const rule = this.#rules.find(({ id }) => id === fault.id);
    if (rule) rule.fired += 1;
    const faulted = command && describe(command);
    const { action } = fault.action;
    this.#fired.push({ id: fault.id, action, at: clock(), ...(faulted && { command: faulted }) });
    if (this.#fired.length > FIRED_KEPT) this.#fired.shift();
    addCounter(counters, Counter.faults);
    if (!trace.isOn) return;
    const where = command ? command.opcode | (command.cid << 16) : -1;
    trace.record(
      TraceKind.fault,
      command?.qid ?? 0,
      fault.id,
      where,
      actionNumber(fault.action),
      command?.cdw10 ?? 0,
    );
  }

  get reported(): FaultReport {
    return { counts: new Map(this.#rules.map(({ id, fired }) => [id, fired])), fired: [...this.#fired] };
  }
}

function newRule(id: number, action: FaultAction, when: CompiledRule): LiveRule {
  return { id, action, when, random: randomNumbers(when.seed), matched: 0, fired: 0 };
}

function fits({ action, when }: LiveRule, command: FaultSubject): boolean {
  if (when.now) return false;
  if (when.opcode >= 0 && when.opcode !== command.opcode) return false;
  if (when.queue >= 0 && when.queue !== command.qid) return false;
  if (when.nsid >= 0 && when.nsid !== command.nsid) return false;
  if (action.action === "corrupt" && !movesData(command.opcode)) return false;
  if (when.firstLba < 0) return true;
  const first = lbaOf(command);
  if (first === undefined) return false;
  return first <= when.lastLba && first + (command.cdw12 & 0xffff) >= when.firstLba;
}

/** Starting LBA, if the command has one; inexact above 2^53. */
export function lbaOf({ qid, opcode, cdw10, cdw11 }: FaultSubject): number | undefined {
  if (qid === 0 || !withBlocks.has(opcode)) return undefined;
  return (cdw10 >>> 0) + (cdw11 >>> 0) * 2 ** 32;
}

function describe(command: FaultSubject): FaultedCommand {
  const { qid, cid, opcode, nsid } = command;
  const lba = lbaOf(command);
  return { qid, cid, opcode, nsid, ...(lba !== undefined && { lba }) };
}

/** In trace records, in place of the action's name. */
export const tracedActions = [
  "delay",
  "fail",
  "drop",
  "corrupt",
  "duplicate",
  "stall",
  "interrupt",
  "fatal",
  "remove",
] as const satisfies readonly FaultAction["action"][];

const actionNumber = ({ action }: FaultAction): number => tracedActions.indexOf(action);

/** Marsaglia's xorshift: from 0 up to 1. */
function randomNumbers(seed: number): () => number {
  // Spread over all bits, and never 0, which would stay so.
  let state = Math.imul(seed, 0x9e3779b1) ^ 0x2545f491 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
