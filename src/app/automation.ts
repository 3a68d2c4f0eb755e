/**
 * `window.doorbell`: the page's handle for scripts, tests and benchmarks. It is there from the start of the page on
 * browsers that can run a machine, and absent on those that cannot (the page says why).
 *
 *     await window.doorbell.ready;
 *     const { output, exitCode, ms } = await window.doorbell.exec("nvme list");
 */
import type { BootStageTiming, DiskAccess, DiskOwner, ExecResult, Machine } from "../machine/api.ts";
import type { CounterName } from "../trace/counters.ts";
import type { OfflineStatus } from "./offline/offline.ts";
import type { TerminalView } from "./terminal/terminal.ts";

export interface Automation
  extends Pick<
    Machine,
    | "ready"
    | "settings"
    | "state"
    | "rescue"
    | "disks"
    | "catalogue"
    | "faults"
    | "slowMotion"
    | "snapshots"
    | "restored"
    | "restoredFrom"
    | "blockade"
    | "readOnly"
  > {
  /** All counters since the boot (src/trace/counters.ts), and the data that I/O commands moved in bytes. */
  counters(): Record<CounterName, number> & { bytes: number; bytesRead: number; bytesWritten: number };
  /** Measures the time of register accesses (`counters().exitTimeUs`) from now on, or no more. */
  timeExits(on: boolean): void;
  /** Runs a command in the guest's automation shell, once the present boot has reached the prompt. */
  exec(command: string): Promise<ExecResult>;
  /** Hard reset; resolves when the shell prompt is back. Asks nothing. */
  restart(): Promise<void>;
  /** The tabs that have the machine's disks now. */
  diskOwners(): Promise<readonly DiskOwner[]>;
  /**
   * Boots with the disks got in this way, without asking; resolves when the shell prompt is there, and rejects when
   * another tab keeps it from them (`blockade` says why).
   */
  start(access: DiskAccess): Promise<void>;
  bootStages(): readonly BootStageTiming[];
  /** Throws away what was written, without asking; resolves when the shell prompt is back. */
  resetDisks(which: "system" | "scratch" | "all"): Promise<void>;
  /** Settles once it is clear whether the page, after its first boot, could be kept in the browser to start without a network. */
  readonly offline: Promise<OfflineStatus>;
  /** What the terminal holds, scrollback included. */
  terminalText(): string;
}

declare global {
  interface Window {
    doorbell?: Automation;
  }
}

/** Makes the handle. Getters, as `ready`, `state` and `rescue` change with each boot. */
export function makeAutomation(
  machine: Machine,
  terminal: TerminalView,
  offline: Promise<OfflineStatus>,
): Automation {
  return {
    offline,
    get ready() {
      return machine.ready;
    },
    get settings() {
      return machine.settings;
    },
    get state() {
      return machine.state;
    },
    get rescue() {
      return machine.rescue;
    },
    get blockade() {
      return machine.blockade;
    },
    get restored() {
      return machine.restored;
    },
    get restoredFrom() {
      return machine.restoredFrom;
    },
    get readOnly() {
      return machine.readOnly;
    },
    counters: () => {
      const counters = machine.counters();
      const bytesRead = counters.sectorsRead * 512;
      const bytesWritten = counters.sectorsWritten * 512;
      return { ...counters, bytes: bytesRead + bytesWritten, bytesRead, bytesWritten };
    },
    disks: () => machine.disks(),
    catalogue: machine.catalogue,
    faults: machine.faults,
    slowMotion: machine.slowMotion,
    snapshots: machine.snapshots,
    timeExits: on => machine.timeExits(on),
    bootStages: () => machine.bootStages,
    terminalText: () => terminal.text(),
    async exec(command) {
      await machine.ready;
      return await machine.exec(command);
    },
    diskOwners: () => machine.diskOwners(),
    async start(access) {
      await machine.start(access);
      await machine.ready;
    },
    async restart() {
      await machine.restart();
      await machine.ready;
    },
    async resetDisks(which) {
      await machine.resetDisks(which);
      await machine.ready;
    },
  };
}
