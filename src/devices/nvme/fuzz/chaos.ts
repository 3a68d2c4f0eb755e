import { CC, CC_EN, CC_ENTRY_SIZES, CFS, putCommand, RDY, Rig } from "../testing/driver.ts";
import { Arena } from "./arena.ts";
import type { Coverage } from "./coverage.ts";
import type { Random } from "./random.ts";
import { generate, materialize, mutate } from "./template.ts";

const RAM = 2 << 20;
const SQ_ENTRIES = 64;
const CQ_ENTRIES = 256;
const REGISTERS = [0x00, 0x08, 0x0c, 0x10, 0x18, 0x1c, 0x20, 0x38, 0x02, 0x0e00, 0x1002];

/**
 * A host that keeps to no rule: any register, any doorbell value, entries rewritten at any time. There are no accounts
 * to keep here. The device must not throw, must not write outside of what it was given, and works after a reset.
 */
export class Chaos {
  readonly #random: Random;
  readonly #coverage: Coverage;
  readonly #rig: Rig;
  readonly #arena: Arena;
  readonly log: string[] = [];
  commands = 0;

  static async create(random: Random, coverage: Coverage): Promise<Chaos> {
    const rig = await Rig.create({
      ramBytes: RAM,
      stronglyOrderedHost: random.oneIn(2),
      msixVectors: random.pick([0, 4]),
      disks: [{ blocks: 251 }, { nsid: 3, blocks: 1024, lbaShift: 12 }],
      highestNsid: 4,
    });
    return new Chaos(rig, random, coverage);
  }

  private constructor(rig: Rig, random: Random, coverage: Coverage) {
    this.#rig = rig;
    this.#random = random;
    this.#coverage = coverage;
    this.#arena = new Arena(rig);
  }

  async run(commands: number): Promise<void> {
    this.#bases(true);
    this.#write(CC, CC_ENTRY_SIZES | CC_EN);
    while (this.commands < commands) await this.#step();
    this.#check();
    await this.#works();
    this.#check();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const rig = this.#rig;
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
        return this.#command(0);
      case 3:
      case 4:
      case 5:
      case 6:
        return this.#command(1 + random.below(4));
      case 7:
        return this.#write(
          0x1000 + (random.oneIn(4) ? random.below(0x7000) : random.below(12)) * 4,
          this.#word(),
        );
      case 8:
        if (random.oneIn(4)) this.#write(random.pick(REGISTERS), random.oneIn(9) ? 0x4e564d65 : this.#word());
        return;
      case 9:
        if (random.oneIn(8))
          this.#write(CC, random.oneIn(3) ? this.#word() : CC_ENTRY_SIZES | random.below(2));
        else if (random.oneIn(7)) this.#bases(random.oneIn(2));
        return;
      case 10:
        if (random.oneIn(3)) rig.memory.words[this.#arena.shadow / 4 + random.below(16)] = this.#word();
        if (random.oneIn(40)) rig.controller.reset();
        rig.nowMs += random.below(500);
        return;
      case 11:
        rig.shared.serverNotifier.testAndClear();
        rig.server.poll();
        rig.server.ready();
        return;
      case 12:
        return rig.server.pollEnd();
      case 13:
        await rig.scheduler.advance(0);
        return;
      default:
        rig.controller.safePoint(random.oneIn(2));
    }
  }

  #word(): number {
    return this.#random.oneIn(2) ? this.#random.below(70) : this.#random.word();
  }

  #write(offset: number, value: number): void {
    this.#note(`register ${offset.toString(16)}h: ${value >>> 0}`);
    this.#rig.write(offset, value);
    this.#rig.read(offset);
  }

  /** The admin queues: one page each, which no other queue has. */
  #bases(areGood: boolean): void {
    const [sq, cq] = this.#arena.queues;
    this.#write(
      0x24,
      areGood ? (SQ_ENTRIES - 1) | ((CQ_ENTRIES - 1) << 16) : this.#random.word() & 0x00ff003f,
    );
    this.#write(0x28, areGood ? sq : this.#random.pick([sq, 0xa0000, RAM]));
    this.#write(0x2c, 0);
    this.#write(0x30, areGood ? cq : this.#random.pick([cq, RAM - 4096 * 0x100000]));
    this.#write(0x34, 0);
  }

  /** A command in any slot of a queue's page, announced or not. */
  #command(page: number): void {
    const random = this.#random;
    const { corpus } = this.#coverage;
    const isAdmin = page === 0;
    const kept = corpus.length > 0 && random.oneIn(2) ? random.pick(corpus) : undefined;
    const template = kept?.isAdmin === isAdmin ? mutate(random, kept) : generate(random, isAdmin);
    const command = isAdmin && random.oneIn(3) ? this.#queueCommand() : materialize(template, this.#arena);
    const slot = random.below(random.oneIn(3) ? SQ_ENTRIES : 6);
    putCommand(this.#rig.memory.words, this.#sqPage(page) + slot * 64, command, random.below(0x10000));
    this.#note(`slot ${slot} of page ${page}: ${JSON.stringify(command)}`);
    this.commands += 1;
    if (random.oneIn(4)) return;
    this.#write(
      0x1000 + (isAdmin ? 0 : 1 + random.below(4)) * 8,
      random.oneIn(2) ? slot + 1 : random.below(SQ_ENTRIES),
    );
  }

  #sqPage(number: number): number {
    return number === 0 ? this.#arena.queues[0] : this.#arena.queues[1 + number];
  }

  /** Queues of any numbers, in pages of their own kind that they may share; shadow doorbells. */
  #queueCommand() {
    const random = this.#random;
    const [qid, cqid] = [random.below(6), random.below(6)];
    const sq = this.#sqPage(1 + random.below(4));
    const cq = this.#arena.queues[6 + random.below(4)];
    switch (random.below(6)) {
      case 0:
        return { opcode: 0x00, cdw: [qid] };
      case 1:
        return { opcode: 0x04, cdw: [qid] };
      case 2:
        return { opcode: 0x7c, prp1: this.#arena.shadow, prp2: this.#arena.eventIdx };
      case 3:
        return { opcode: 0x01, prp1: sq, cdw: [qid | (random.below(SQ_ENTRIES) << 16), 1 | (cqid << 16)] };
      default:
        return {
          opcode: 0x05,
          prp1: cq,
          cdw: [qid | (random.below(CQ_ENTRIES) << 16), 3 | (random.below(2) << 16)],
        };
    }
  }

  /** Whatever it was, CC.EN 1 → 0 → 1 makes a controller that works. */
  async #works(): Promise<void> {
    const rig = this.#rig;
    rig.write(CC, CC_ENTRY_SIZES | CC_EN);
    rig.write(CC, CC_ENTRY_SIZES);
    rig.server.ready();
    rig.controller.safePoint(false);
    if ((rig.csts & (RDY | CFS)) !== 0) throw new Error("the controller did not reset");
    await rig.scheduler.advance(0);
    rig.shadowPage = 0;
    const [sq, cq] = this.#arena.queues;
    for (const page of [sq, cq]) rig.memory.bytes.fill(0, page, page + 4096);
    this.#bases(true);
    rig.write(CC, CC_ENTRY_SIZES | CC_EN);
    rig.pump();
    putCommand(rig.memory.words, sq, { opcode: 0x06, prp1: this.#arena.data[0], cdw: [1] }, 0x77);
    rig.write(0x1000, 1);
    rig.pump();
    // Phase 1, status 0.
    if (rig.memory.words[cq / 4 + 3] !== (0x77 | (1 << 16))) throw new Error("after a reset, Identify fails");
  }

  #check(): void {
    const { bugs } = this.#rig;
    if (bugs.length > 0) throw bugs[0];
    this.#arena.check();
  }

  #note(text: string): void {
    this.log.push(text);
    if (this.log.length > 400) this.log.splice(0, 200);
  }
}
