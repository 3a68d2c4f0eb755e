import { DNR, type StatusCode } from "../spec/status.ts";

/**
 * The language of fault injection: rules are plain data, so that they can be typed, sent to a worker and kept in a file.
 *
 *     { action: "delay", ms: 300, command: "read", nsid: 2 }
 *     { action: "fail", sct: 2, sc: 0x81, command: "read", lba: [0, 7], count: 1 }
 *     { action: "drop", command: "write", nsid: 2, skip: 10, count: 1 }
 *     { action: "remove", now: true }
 *
 * Each command is held against the rules in their order, and the first one that fits fires: at most one fault for each
 * command. With no rule armed the device does not even look. docs/faults.md says what each does, and what Linux does then.
 */

/** What goes wrong. */
export type FaultAction =
  /** The command waits so many milliseconds before it is served; meanwhile Abort finds it. */
  | { readonly action: "delay"; readonly ms: number }
  /**
   * The command is not served and ends with this status (NVMe 1.4, section 4.6.1): status code type 0 to 7, status code
   * 0 to FFh, Do Not Retry (default: false).
   */
  | { readonly action: "fail"; readonly sct: number; readonly sc: number; readonly dnr?: boolean | undefined }
  /** The command is served, but its completion is never posted: the host sees it time out. */
  | { readonly action: "drop" }
  /**
   * So many bytes (default: 1) of the data are inverted, at places that `seed` chooses: of a Read in the host's buffer, of
   * a Write on the disk. The command succeeds. Of no other commands.
   */
  | { readonly action: "corrupt"; readonly bytes?: number | undefined }
  /** The completion is posted twice, if the completion queue has room. */
  | { readonly action: "duplicate" }
  /** The thread that serves I/O stands still for so many milliseconds, and then serves the command. I/O queues only. */
  | { readonly action: "stall"; readonly ms: number }
  /** Besides, one interrupt is raised for which there is no completion. */
  | { readonly action: "interrupt" }
  /**
   * Controller Fatal Status (section 3.1.6): the command and all others under way die, and nothing is served until the
   * host resets the controller.
   */
  | { readonly action: "fatal" }
  /**
   * The controller is pulled out: registers read as all ones, nothing under way completes or touches memory. Back in, with
   * its registers at their initial values, when the rule is lifted.
   */
  | { readonly action: "remove" };

export type FaultActionName = FaultAction["action"];

/** Which commands. What is left out matches all. */
export interface FaultMatch {
  /**
   * The command's name in src/devices/nvme/spec/opcodes.ts ("read", "writeZeroes", "identify", …), or its opcode. An opcode
   * is an NVM command's unless `queue` is the admin queue.
   */
  readonly command?: string | number | undefined;
  /** A submission queue's identifier. Default: "io", or "admin" where `command` names an admin command. */
  readonly queue?: "io" | "admin" | number | undefined;
  /** Namespace identifier of the command. */
  readonly nsid?: number | undefined;
  /** Commands that touch one of the blocks from the first to the last, both included. Flush has no blocks. */
  readonly lba?: readonly [first: number, last: number] | undefined;
  /** So many commands that match pass before the first fault. Default: 0. */
  readonly skip?: number | undefined;
  /** The rule is spent after so many faults. Default: never. */
  readonly count?: number | undefined;
  /** Of those left, each is hit with this probability, above 0 and at most 1 (the default). */
  readonly probability?: number | undefined;
  /** Of the rule's own random numbers: the same seed makes the same choices. Default: 1. */
  readonly seed?: number | undefined;
  /**
   * Fires once, at the moment when it is armed, whatever the guest does: "interrupt", "fatal" and "remove" only, and
   * with no other condition.
   */
  readonly now?: boolean | undefined;
}

export type FaultRule = FaultAction & FaultMatch;

/** A rule with the number by which it is known from arming to lifting, and in reports. */
export interface ArmedRule {
  readonly id: number;
  readonly rule: FaultRule;
}

/** A fault that happened. */
export interface FiredFault {
  /** The rule's number. */
  readonly id: number;
  readonly action: FaultActionName;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The command that it happened to; undefined for a rule with `now`. */
  readonly command?: FaultedCommand;
}

export interface FaultedCommand {
  /** 0 is the admin queue. */
  readonly qid: number;
  readonly cid: number;
  readonly opcode: number;
  readonly nsid: number;
  /** Starting LBA, of commands that have one. */
  readonly lba?: number;
}

/** What one thread has to report. */
export interface FaultReport {
  /** How often each rule that is armed fired, by its number. */
  readonly counts: ReadonlyMap<number, number>;
  /** The latest faults, oldest first: FIRED_KEPT at most. */
  readonly fired: readonly FiredFault[];
}

/** Faults that a thread remembers. */
export const FIRED_KEPT = 256;

/** The status that a rule says, as it stands in `Status`. */
export function statusOf({ sct, sc, dnr = false }: FaultAction & { readonly action: "fail" }): StatusCode {
  return (sct << 8) | sc | (dnr ? DNR : 0);
}
