import { compileRule } from "../../devices/nvme/faults/compile_rule.ts";
import type { ArmedRule, FaultRule, FiredFault } from "../../devices/nvme/faults/rules.ts";
import type { ListedFault, MachineFaults } from "../../machine/api.ts";

/** Faults that seem to fire: the first time after a second, and once a second from then on. */
export class FakeFaults implements MachineFaults {
  readonly #changed: (armed: readonly ArmedRule[]) => void;
  readonly #since = new Map<number, number>();
  #nextId = 1;
  armed: readonly ArmedRule[] = [];

  constructor(changed: (armed: readonly ArmedRule[]) => void) {
    this.#changed = changed;
  }

  async set(rules: readonly FaultRule[]): Promise<void> {
    for (const rule of rules) compileRule(rule);
    this.#show(rules.map(rule => ({ id: this.#nextId++, rule })));
  }

  async arm(rule: FaultRule): Promise<number> {
    compileRule(rule);
    const id = this.#nextId++;
    this.#since.set(id, performance.now());
    this.#show([...this.armed, { id, rule }]);
    return id;
  }

  async disarm(id: number): Promise<void> {
    this.#show(this.armed.filter(armed => armed.id !== id));
  }

  async clear(): Promise<void> {
    this.#show([]);
  }

  async list(): Promise<readonly ListedFault[]> {
    return this.armed.map(({ id, rule }) => ({ id, rule, fired: this.#firedOf(id) }));
  }

  async fired(): Promise<readonly FiredFault[]> {
    return this.armed.flatMap(({ id, rule: { action } }) =>
      Array.from({ length: Math.min(20, this.#firedOf(id)) }, (_, i) => ({
        id,
        action,
        at: performance.timeOrigin + (this.#since.get(id) ?? 0) + (i + 1) * 1000,
        command: { qid: 1, cid: 40 + i, opcode: 2, nsid: 2, lba: 8 * i },
      })),
    );
  }

  #firedOf(id: number): number {
    return Math.floor((performance.now() - (this.#since.get(id) ?? performance.now())) / 1000);
  }

  #show(armed: readonly ArmedRule[]): void {
    this.armed = armed;
    this.#changed(armed);
  }
}
