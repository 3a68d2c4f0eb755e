/** Fault injection on its way from the page to the threads where faults happen. */
import { compileRule } from "../devices/nvme/faults/compile_rule.ts";
import { IoFaults } from "../devices/nvme/faults/io_faults.ts";
import type { ArmedRule, FaultReport, FaultRule, FiredFault } from "../devices/nvme/faults/rules.ts";
import type { IoServer } from "../devices/nvme/io/io_server.ts";
import type { ListedFault, MachineFaults } from "./api.ts";
import { mayBlock, spin } from "./may_block.ts";
import type { FaultApi } from "./protocol.ts";
import type { DeviceStates } from "./servers.ts";
import type { Connected } from "./workers.ts";

/** What a worker says that has no machine to break. */
export const NO_MACHINE = "The machine has not begun to boot: there is nothing yet that could fail.";

/** The faults of the I/O commands that `server` serves, in its thread. */
export function ioFaultsOf(server: IoServer, { signals, nvme }: DeviceStates): IoFaults {
  return new IoFaults({
    counters: nvme.counters,
    trace: nvme.serverTrace,
    clock: () => performance.timeOrigin + performance.now(),
    after(ms, callback) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    stall: ms => (mayBlock() ? signals.stall(ms) : spin(ms)),
    use: faults => {
      server.faults = faults;
    },
  });
}

/** The reports of several threads as one. */
export function mergeReports(reports: readonly FaultReport[]): FaultReport {
  const counts = new Map<number, number>();
  for (const report of reports) {
    for (const [id, count] of report.counts) counts.set(id, (counts.get(id) ?? 0) + count);
  }
  return { counts, fired: reports.flatMap(({ fired }) => fired).sort((a, b) => a.at - b.at) };
}

/** A thread that has a part of the controller. */
export type FaultThread = Pick<Connected<FaultApi>, "answer"> & { readonly api: FaultApi };

export interface FaultInjectionOptions {
  /** The threads of the running machine. Throws if it does not run. */
  readonly workers: () => Promise<readonly FaultThread[]>;
  /** Ends stand-stills of threads. */
  readonly cutStalls: () => void;
  readonly changed: (armed: readonly ArmedRule[]) => void;
}

/** The page's end: which rules are armed, in both threads alike. */
export class FaultInjection implements MachineFaults {
  readonly #options: FaultInjectionOptions;
  #armed: readonly ArmedRule[] = [];
  #nextId = 1;

  constructor(options: FaultInjectionOptions) {
    this.#options = options;
  }

  get armed(): readonly ArmedRule[] {
    return this.#armed;
  }

  async set(rules: readonly FaultRule[]): Promise<void> {
    for (const rule of rules) compileRule(rule);
    await this.#apply(rules.map(rule => ({ id: this.#nextId++, rule })));
  }

  async arm(rule: FaultRule): Promise<number> {
    compileRule(rule);
    const id = this.#nextId++;
    await this.#apply([...this.#armed, { id, rule }]);
    return id;
  }

  disarm(id: number): Promise<void> {
    return this.#apply(this.#armed.filter(armed => armed.id !== id));
  }

  clear(): Promise<void> {
    return this.#apply([]);
  }

  async list(): Promise<readonly ListedFault[]> {
    if (this.#armed.length === 0) return [];
    const { counts } = await this.#report();
    return this.#armed.map(({ id, rule }) => ({ id, rule, fired: counts.get(id) ?? 0 }));
  }

  async fired(): Promise<readonly FiredFault[]> {
    return (await this.#report()).fired;
  }

  /** The machine is gone, and its faults with it. */
  forget(): void {
    this.#show([]);
  }

  async #apply(armed: readonly ArmedRule[]): Promise<void> {
    const workers = await this.#options.workers();
    this.#options.cutStalls();
    this.#show(armed);
    await Promise.all(workers.map(({ api, answer }) => answer(api.setFaults(armed))));
  }

  async #report(): Promise<FaultReport> {
    const workers = await this.#options.workers();
    return mergeReports(await Promise.all(workers.map(({ api, answer }) => answer(api.faultReport()))));
  }

  #show(armed: readonly ArmedRule[]): void {
    if (armed.length === 0 && this.#armed.length === 0) return;
    this.#armed = armed;
    this.#options.changed(armed);
  }
}
