import type { FusedStatus } from "../io/fused.ts";
import type { IoRequest } from "../io/request.ts";
import type { IoResult, IoServices } from "../io/services.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { corruptRead, corruptWrite } from "./corruption.ts";
import { FaultEffect } from "./fault_effect.ts";
import { type Fault, FaultPlan, type FaultPlanOptions, lbaOf } from "./fault_plan.ts";
import { type ArmedRule, type FaultReport, statusOf } from "./rules.ts";

export interface IoFaultsOptions extends Omit<FaultPlanOptions, "isVcpu"> {
  /** Runs `callback` once after at least `ms` milliseconds. Returns how to cancel it. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** Holds the calling thread up for so many milliseconds. */
  readonly stall: (ms: number) => void;
  /** Where commands are run: these faults, or undefined while none is armed. */
  readonly use: (faults: IoFaults | undefined) => void;
}

/** A command that waits for its delay to end. */
interface Held {
  readonly id: number;
  readonly release: () => void;
}

/** Faults of I/O commands, in the thread that serves them. What concerns their completion goes with it: FaultEffect. */
export class IoFaults {
  readonly #options: IoFaultsOptions;
  readonly #plan: FaultPlan;
  readonly #held = new Set<Held>();

  constructor(options: IoFaultsOptions) {
    this.#options = options;
    this.#plan = new FaultPlan({ ...options, isVcpu: false });
  }

  /** Puts these rules in place of those before. What waits for a rule that is lifted goes on at once. */
  set(armed: readonly ArmedRule[]): void {
    this.#plan.set(armed);
    this.#options.use(this.#plan.isEmpty ? undefined : this);
    for (const held of this.#held) if (!this.#plan.has(held.id)) held.release();
  }

  get reported(): FaultReport {
    return this.#plan.reported;
  }

  /** Runs a command, with the fault that its rules say. */
  execute(
    services: IoServices,
    request: IoRequest,
    run: (services: IoServices, request: IoRequest) => IoResult,
  ): IoResult {
    const fault = this.#plan.match(request);
    if (!fault) return run(services, request);
    const { action } = fault;
    switch (action.action) {
      case "delay":
        return this.#delay(fault.id, action.ms).then(() => runIfWanted(services, request, run));
      case "fail":
        request.errorLba = lbaOf(request) ?? -1;
        return statusOf(action);
      case "corrupt":
        return this.#corrupt(services, request, run, action.bytes ?? 1, fault);
      case "stall":
        this.#options.stall(action.ms);
        return runIfWanted(services, request, run);
      case "drop":
      case "duplicate":
      case "interrupt":
        request.effect = FaultEffect[action.action];
        return run(services, request);
      case "fatal":
      case "remove":
        request.effect = FaultEffect[action.action];
        return Status.success;
    }
  }

  /**
   * The same for the two commands of a fused operation, each with its own rules. What ends one before it is executed
   * fails the other.
   */
  async executeFused(
    services: IoServices,
    first: IoRequest,
    second: IoRequest,
    run: (services: IoServices, first: IoRequest, second: IoRequest) => FusedStatus | Promise<FusedStatus>,
  ): Promise<FusedStatus> {
    let firstStatus: StatusCode = Status.failedFusedCommand;
    let secondStatus: StatusCode = Status.failedFusedCommand;
    const both = async (wrapped: IoServices): Promise<StatusCode> => {
      const statuses = await run(wrapped, first, second);
      firstStatus = statuses[0];
      return statuses[1];
    };
    const ended = await this.execute(services, first, async wrapped => {
      secondStatus = await this.execute(wrapped, second, both);
      return firstStatus;
    });
    return [ended, secondStatus];
  }

  #delay(id: number, ms: number): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#options.after(ms, () => release());
      const release = () => {
        cancel();
        this.#held.delete(held);
        resolve();
      };
      const held: Held = { id, release };
      this.#held.add(held);
    });
  }

  #corrupt(
    services: IoServices,
    request: IoRequest,
    run: (services: IoServices, request: IoRequest) => IoResult,
    bytes: number,
    { random }: Fault,
  ): IoResult {
    return isRead(request)
      ? run(corruptRead(services, bytes, random), request)
      : corruptWrite(services, request, run(services, request), bytes, random);
  }
}

const isRead = ({ opcode }: IoRequest): boolean => opcode === NvmOpcode.read;

/** Time has passed: a reset, or an Abort, may have taken the command away. */
function runIfWanted(
  services: IoServices,
  request: IoRequest,
  run: (services: IoServices, request: IoRequest) => IoResult,
): IoResult {
  return services.isCurrent(request) ? run(services, request) : Status.abortedByRequest;
}
