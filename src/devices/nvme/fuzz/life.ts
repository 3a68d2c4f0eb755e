import {
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CFS,
  type Command,
  RDY,
  type Rig,
  SHST,
  SHST_COMPLETE,
} from "../testing/driver.ts";
import { Arena } from "./arena.ts";
import type { Coverage } from "./coverage.ts";
import { Host, type HostSq, isFull } from "./host.ts";
import type { Random } from "./random.ts";
import { FuzzedStorage } from "./storage.ts";
import { materialize, type Template } from "./template.ts";

const ADMIN_ENTRIES = 16;
export const IO_QUEUES = [1, 2, 3, 4];
const AER = 0x0c;
/** Turns that a command has to be answered in, once storage does its work. */
const PATIENCE = 60;
const STEPS_KEPT = 400;

/**
 * A controller between power on and power off, its host, and the accounts: each command is answered exactly once,
 * unless a reset, a fatal status or the deletion of its queue comes first.
 */
export class Life {
  readonly rig: Rig;
  readonly random: Random;
  readonly host: Host;
  readonly arena: Arena;
  readonly storage: FuzzedStorage;
  readonly #coverage: Coverage;
  /** The last steps, for who looks for the cause of a violation. */
  readonly log: string[] = [];
  commands = 0;

  constructor(rig: Rig, random: Random, coverage: Coverage) {
    this.rig = rig;
    this.random = random;
    this.#coverage = coverage;
    this.arena = new Arena(rig);
    this.host = new Host(rig);
    this.storage = new FuzzedStorage(rig.disks, random);
  }

  note(text: string): void {
    this.log.push(text);
    if (this.log.length > STEPS_KEPT) this.log.splice(0, STEPS_KEPT / 2);
  }

  get hasFailed(): boolean {
    return (this.rig.csts & CFS) !== 0;
  }

  // --- Enable, reset, shutdown

  queueMemory(kind: "sq" | "cq", qid: number): number {
    return this.arena.queues[qid * 2 + (kind === "sq" ? 0 : 1)];
  }

  /** CC.EN 0 → 1 with fresh admin queues. */
  enable(): void {
    const { rig, host } = this;
    const [sq, cq] = [this.queueMemory("sq", 0), this.queueMemory("cq", 0)];
    rig.memory.bytes.fill(0, sq, sq + 4096);
    host.addCq(0, cq, ADMIN_ENTRIES);
    host.addSq(0, sq, ADMIN_ENTRIES, 0);
    rig.write(0x24, (ADMIN_ENTRIES - 1) * 0x10001);
    rig.write(0x28, sq);
    rig.write(0x2c, 0);
    rig.write(0x30, cq);
    rig.write(0x34, 0);
    rig.write(CC, CC_ENTRY_SIZES | CC_EN);
    rig.pump();
    if ((rig.csts & (RDY | CFS)) !== RDY) throw new Error("the controller did not get ready");
  }

  /** By one of the ways that there are. From RDY 0 on nothing of the life before may come. */
  async reset(): Promise<void> {
    const { rig } = this;
    const kind = this.random.pick(["EN", "EN", "EN", "NSSR", "power"]);
    this.note(`reset: ${kind}`);
    if (kind === "EN") rig.write(CC, CC_ENTRY_SIZES);
    else if (kind === "NSSR") rig.write(0x20, 0x4e564d65);
    else rig.controller.reset();
    for (let turn = 0; turn < PATIENCE && (rig.csts & RDY) !== 0; turn++) rig.pump();
    if ((rig.csts & (RDY | CFS)) !== 0) throw new Error("the controller did not reset");
    const lent = () =>
      Buffer.concat([...this.arena.queues, ...this.arena.data].map(page => rig.slice(page, 4096)));
    const before = lent();
    this.storage.letGo();
    await rig.scheduler.advance(0);
    rig.pump();
    if (Buffer.compare(lent(), before) !== 0) throw new Error("memory was written to after a reset");
    this.host.forget();
  }

  /** A shutdown comes to an end, whatever storage does: complete, or a fatal status. */
  async shutDown(): Promise<void> {
    const { rig } = this;
    this.note("shutdown");
    rig.write(CC, rig.read(CC) | (this.random.oneIn(2) ? 1 << 14 : 2 << 14));
    for (let turn = 0; turn < PATIENCE; turn++) {
      if (turn > PATIENCE / 2) this.storage.letGo();
      await this.settle();
      if (this.hasFailed || (rig.csts & SHST) === SHST_COMPLETE) return;
    }
    throw new Error("a shutdown neither completes nor fails");
  }

  // --- Commands

  /** Puts a command into the next slot of a queue. */
  push(sq: HostSq, template: Template): void {
    const command = materialize(template, this.arena);
    const cid = this.host.push(sq, command, template);
    this.note(`queue ${sq.qid}: ${cid} ${JSON.stringify(command)}`);
    this.commands += 1;
  }

  /** Gives the admin queue a command of the host's own, and waits for its status; -1 if that is not possible. */
  async answer(command: Command): Promise<number> {
    const sq = this.host.sqs.get(0);
    if (!sq) throw new Error("there is no admin queue");
    for (let turn = 0; turn < PATIENCE && isFull(sq); turn++) {
      if (turn > PATIENCE / 2) this.storage.letGo();
      await this.settle();
    }
    if (this.hasFailed || isFull(sq)) return -1;
    const before = sq.tail;
    const cid = this.host.push(sq, command);
    this.commands += 1;
    this.note(`queue 0: ${cid} ${JSON.stringify(command)}`);
    this.host.ring(sq, before);
    for (let turn = 0; turn < PATIENCE; turn++) {
      this.rig.pump();
      const status = this.#reapFor(cid);
      if (status !== undefined) return status;
      if (this.hasFailed) return -1;
      if (turn > PATIENCE / 2) this.storage.letGo();
      await this.rig.scheduler.advance(0);
    }
    throw new Error(`admin command ${command.opcode} was not answered`);
  }

  #reapFor(cid: number): number | undefined {
    let status: number | undefined;
    this.reap(Number.POSITIVE_INFINITY, (qid, answered) => {
      if (qid === 0 && answered.cid === cid) status = answered.status;
    });
    return status;
  }

  /** Takes at most so many completions from each queue. */
  reap(
    most: number,
    each?: (qid: number, cqe: { readonly cid: number; readonly status: number }) => void,
  ): void {
    for (const { cqe, sq, template } of this.host.reap(most)) {
      this.note(`queue ${sq.qid}: ${cqe.cid} answered ${cqe.status.toString(16)}h`);
      if (cqe.status === 0x006) throw new Error(`command ${cqe.cid} ended with Internal Error`);
      const state = [
        this.host.shadow && "shadow",
        this.storage.state,
        sq.outstanding.size > 2 && "busy",
      ].join();
      if (template) this.#coverage.add(template, cqe.status, state);
      each?.(sq.qid, cqe);
    }
  }

  async settle(): Promise<void> {
    this.rig.pump();
    this.reap(Number.POSITIVE_INFINITY);
    await this.rig.scheduler.advance(0);
    this.rig.pump();
    this.reap(Number.POSITIVE_INFINITY);
  }

  /** All that is under way is answered, but for requests for events. */
  async drain(): Promise<void> {
    const open = () =>
      [...this.host.sqs.values()].flatMap(({ qid, outstanding }) =>
        [...outstanding]
          .filter(([, template]) => !template?.isAdmin || template.opcode !== AER)
          .map(([cid]) => `${qid}:${cid}`),
      );
    this.storage.letGo();
    for (let turn = 0; turn < PATIENCE; turn++) {
      if (open().length === 0 || this.hasFailed) return;
      await this.settle();
    }
    throw new Error(`not answered: ${open().join(", ")}`);
  }

  /** Nothing has thrown, and nothing was written where it may not be. */
  check(): void {
    const { bugs } = this.rig;
    if (bugs.length > 0) throw bugs[0];
    this.arena.check();
  }
}
