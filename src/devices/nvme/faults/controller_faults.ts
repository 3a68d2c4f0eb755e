import type { AdminCommand, AdminResult } from "../admin/admin_command.ts";
import { FaultEffect } from "./fault_effect.ts";
import { FaultPlan, type FaultPlanOptions } from "./fault_plan.ts";
import { type ArmedRule, type FaultReport, statusOf } from "./rules.ts";

export interface ControllerFaultsOptions extends Omit<FaultPlanOptions, "isVcpu"> {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Makes the vCPU thread pass a safe point soon. */
  readonly wake: () => void;
}

/** What the controller does to itself; all calls are made at safe points. */
export interface FaultableController {
  /** Controller Fatal Status. */
  fail(): void;
  /** Pulled out, or back in. */
  setAbsent(absent: boolean): void;
  /** Raises one interrupt that nothing stands behind. False while there are completions that the host has not taken. */
  raiseSpurious(): boolean;
}

/** An admin command that waits for its delay to end. */
interface Held {
  readonly id: number;
  readonly command: AdminCommand;
  dueAt: number;
}

/**
 * Faults in the vCPU thread: those of admin commands, and what the faults of I/O commands do to registers and interrupts.
 * They are noted where they happen and applied at the next safe point.
 */
export class ControllerFaults {
  readonly #options: ControllerFaultsOptions;
  readonly #plan: FaultPlan;
  #held: Held[] = [];
  /** What becomes of the completions of admin commands that are under way, by command identifier. */
  readonly #effects = new Map<number, FaultEffect>();
  #failing = false;
  #spurious = 0;
  #isAbsent = false;
  #wantsAbsent = false;
  /** Is an admin command to be held against rules? */
  isArmed = false;
  /** Is there anything for apply() to do? */
  isDue = false;

  constructor(options: ControllerFaultsOptions) {
    this.#options = options;
    this.#plan = new FaultPlan({ ...options, isVcpu: true });
  }

  /** Puts these rules in place of those before. Between two stretches of guest code: from a message, say. */
  set(armed: readonly ArmedRule[]): void {
    const atOnce = this.#plan.set(armed);
    this.isArmed = !this.#plan.isEmpty;
    if (!this.isArmed) this.#effects.clear();
    for (const held of this.#held) if (!this.#plan.has(held.id)) held.dueAt = 0;
    if (!armed.some(({ rule }) => rule.action === "remove")) this.#wantsAbsent = false;
    for (const fault of atOnce) {
      const { action } = fault.action;
      this.#plan.report(fault);
      if (action === "interrupt" || action === "fatal" || action === "remove") this.note(FaultEffect[action]);
    }
    this.isDue = true;
    this.#options.wake();
  }

  get reported(): FaultReport {
    return this.#plan.reported;
  }

  /** The controller is to be changed at the next safe point. */
  note(effect: FaultEffect): void {
    if (effect === FaultEffect.fatal) this.#failing = true;
    else if (effect === FaultEffect.remove) this.#wantsAbsent = true;
    else if (effect === FaultEffect.interrupt) this.#spurious += 1;
    this.isDue = true;
  }

  /** At a safe point, when all that is ready was posted. */
  apply(controller: FaultableController): void {
    this.isDue = false;
    if (this.#failing) {
      this.#failing = false;
      controller.fail();
    }
    if (this.#wantsAbsent !== this.#isAbsent) {
      this.#isAbsent = this.#wantsAbsent;
      controller.setAbsent(this.#isAbsent);
    }
    if (this.#spurious === 0 || this.#isAbsent) return;
    if (controller.raiseSpurious()) this.#spurious -= 1;
    this.isDue = this.#spurious > 0;
  }

  // --- Admin commands

  /** Runs an admin command, with the fault that its rules say. */
  execute(command: AdminCommand, run: () => AdminResult): AdminResult {
    const fault = this.#plan.match({ ...command, qid: 0 });
    if (!fault) return run();
    const { action } = fault.action;
    switch (fault.action.action) {
      case "delay":
        this.#held.push({ id: fault.id, command, dueAt: this.#options.now() + fault.action.ms });
        return "pending";
      case "fail":
        return statusOf(fault.action);
      case "drop":
      case "duplicate":
      case "interrupt":
        this.#effects.set(command.cid, FaultEffect[fault.action.action]);
        return run();
      case "fatal":
      case "remove":
        this.note(FaultEffect[fault.action.action]);
        return "pending";
      default:
        throw new Error(`"${action}" is no fault of admin commands`);
    }
  }

  /** What becomes of the completion of an admin command. */
  takeEffect(cid: number): FaultEffect {
    const effect = this.#effects.get(cid) ?? FaultEffect.none;
    this.#effects.delete(cid);
    return effect;
  }

  /** Milliseconds until an admin command's delay is over; Infinity if none waits. */
  get dueInMs(): number {
    if (this.#held.length === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(...this.#held.map(({ dueAt }) => dueAt)) - this.#options.now());
  }

  /** Admin commands whose delay is over. */
  takeDue(): AdminCommand[] {
    if (this.#held.length === 0) return [];
    const now = this.#options.now();
    const due = this.#held.filter(({ dueAt }) => dueAt <= now);
    if (due.length > 0) this.#held = this.#held.filter(({ dueAt }) => dueAt > now);
    return due.map(({ command }) => command);
  }

  /** A controller reset: the commands are gone. */
  forgetCommands(): void {
    this.#held = [];
    this.#effects.clear();
  }
}
