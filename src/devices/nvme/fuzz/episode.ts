import { headDoorbell, Rig, tailDoorbell } from "../testing/driver.ts";
import type { Coverage } from "./coverage.ts";
import { type HostSq, isFull } from "./host.ts";
import { IO_QUEUES, Life } from "./life.ts";
import type { Random } from "./random.ts";
import { describes, generate, isSelfContained, mutate, type Template } from "./template.ts";

const RAM = 2 << 20;
const ABORT = 0x08;

/**
 * A host that keeps to the rules of queues and doorbells (and breaks those of which the specification says what then
 * happens), gives commands of any kind, and resets the controller now and then. Life keeps the accounts.
 */
export class Episode {
  readonly #life: Life;
  readonly #random: Random;
  readonly #coverage: Coverage;

  /** `tamper` does something to the device beforehand, to see that it is found. */
  static async create(random: Random, coverage: Coverage, tamper?: (rig: Rig) => void): Promise<Episode> {
    const rig = await Rig.create({
      ramBytes: RAM,
      stronglyOrderedHost: random.oneIn(2),
      // Capacities that are no addresses, where Identify data is taken for a PRP list.
      disks: [{ blocks: 251 }, { nsid: 3, blocks: 1024, lbaShift: 12 }],
      highestNsid: 4,
    });
    tamper?.(rig);
    return new Episode(new Life(rig, random, coverage), coverage);
  }

  private constructor(life: Life, coverage: Coverage) {
    this.#life = life;
    this.#random = life.random;
    this.#coverage = coverage;
  }

  get log(): readonly string[] {
    return this.#life.log;
  }

  get commands(): number {
    return this.#life.commands;
  }

  /** Runs until about so many commands were given. Throws at the first violation. */
  async run(commands: number): Promise<void> {
    const life = this.#life;
    await this.#start();
    while (life.commands < commands) {
      if (life.hasFailed) await this.#restart();
      await this.#step();
      // All of memory is looked at now and then: that takes longer than a command.
      if (this.#random.oneIn(16)) life.check();
    }
    await life.drain();
    life.check();
    await life.reset();
    life.enable();
    if ((await life.answer({ opcode: 0x06, prp1: life.arena.data[0], cdw: [1] })) !== 0) {
      throw new Error("after a reset, Identify fails");
    }
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const life = this.#life;
    const dice = random.below(100);
    if (dice < 55) this.#submit();
    else if (dice < 62) await this.#alone();
    else if (dice < 75) this.#serve();
    else if (dice < 84) await life.rig.scheduler.advance(0);
    else if (dice < 92) life.reap(random.oneIn(3) ? 1 + random.below(3) : Number.POSITIVE_INFINITY);
    else if (dice < 94) this.#wrongDoorbell();
    else if (dice < 96) await this.#changeQueues();
    else if (dice < 97) this.#disturbStorage();
    else if (dice < 98) life.rig.nowMs += random.below(3000);
    else if (random.oneIn(4)) await this.#configureShadow();
    else if (random.oneIn(8)) await this.#shutDown();
    else if (random.oneIn(3)) await this.#restart();
  }

  // --- Commands

  /** One command or several, announced together. */
  #submit(): void {
    const random = this.#random;
    const { host } = this.#life;
    const sq = random.pick([...host.sqs.values()]);
    const before = sq.tail;
    if (sq.qid !== 0 && !isFull(sq) && random.oneIn(10)) this.#pushFused(sq);
    for (let i = random.oneIn(3) ? random.below(6) : 0; i >= 0 && !isFull(sq); i--) {
      this.#life.push(sq, this.#aim(this.#template(sq.qid === 0)));
    }
    if (sq.tail !== before) host.ring(sq, before);
    if (random.oneIn(6)) this.#jumpBack(sq, before);
  }

  #template(isAdmin: boolean): Template {
    const random = this.#random;
    const { corpus } = this.#coverage;
    const kept = corpus.length > 0 && random.oneIn(2) ? random.pick(corpus) : undefined;
    return kept?.isAdmin === isAdmin ? mutate(random, kept) : generate(random, isAdmin);
  }

  /** An Abort is of a command that is under way, in half of the cases. */
  #aim(template: Template): Template {
    const random = this.#random;
    if (!template.isAdmin || template.opcode !== ABORT || random.oneIn(2)) return template;
    const { qid, outstanding } = random.pick([...this.#life.host.sqs.values()]);
    const cid = [...outstanding.keys()][random.below(outstanding.size)] ?? 0;
    return { ...template, cdw: [((cid << 16) | qid) >>> 0, ...template.cdw.slice(1)] };
  }

  /** Compare and Write, or nearly. */
  #pushFused(sq: HostSq): void {
    const random = this.#random;
    const base = generate(random, false);
    const isSame = !random.oneIn(4);
    this.#life.push(sq, { ...base, opcode: 0x05, flags: (base.flags & 0xc0) | 1 });
    if (isFull(sq)) return;
    const write = { ...base, opcode: 0x01, flags: (base.flags & 0xc0) | 2 };
    this.#life.push(sq, isSame ? write : mutate(random, write));
  }

  /** One command with nothing else under way: what it may write to is known. */
  async #alone(): Promise<void> {
    const life = this.#life;
    await life.drain();
    if (life.hasFailed) return;
    const sq = this.#random.pick([...life.host.sqs.values()]);
    const template = this.#template(sq.qid === 0);
    const before = sq.tail;
    // All slots may be taken by requests for events.
    if (isFull(sq)) return;
    life.push(sq, template);
    const snapshot = life.arena.snapshot();
    life.host.ring(sq, before);
    await life.drain();
    if (!isSelfContained(template)) return;
    const at = life.arena.firstUnexpected(snapshot, address => describes(template, life.arena, address));
    if (at !== undefined) throw new Error(`a command that runs alone wrote to ${at.toString(16)}h`);
  }

  // --- Threads and storage

  #serve(): void {
    const { rig } = this.#life;
    switch (this.#random.below(4)) {
      case 0:
        rig.controller.safePoint(this.#random.oneIn(2));
        break;
      case 1:
        rig.shared.serverNotifier.testAndClear();
        rig.server.ready();
        break;
      case 2:
        rig.server.pollEnd();
        break;
      default:
        rig.pump();
    }
  }

  #disturbStorage(): void {
    const { storage } = this.#life;
    storage.disturb();
    this.#life.note(`storage: ${storage.state}`);
  }

  // --- Doorbells

  /** Values and queues that there are not (figure 149): ignored. */
  #wrongDoorbell(): void {
    const random = this.#random;
    const { host } = this.#life;
    const sq = random.pick([...host.sqs.values()]);
    const cq = random.pick([...host.cqs.values()]);
    const noQueue = IO_QUEUES.length + 1 + random.below(2000);
    const [offset, value] = random.pick([
      [tailDoorbell(sq.qid), sq.entries + random.below(0xffff - sq.entries)],
      [headDoorbell(cq.qid), cq.entries + random.below(0xffff - cq.entries)],
      [tailDoorbell(noQueue), random.below(0x10000)],
      [headDoorbell(noQueue) + random.below(4), random.below(0x10000)],
    ]);
    this.#life.note(`doorbell ${offset.toString(16)}h: ${value}`);
    this.#life.rig.write(offset, value);
  }

  /** A tail that adds more than there is room for: what was announced is not looked at yet, so it lies behind. */
  #jumpBack(sq: HostSq, before: number): void {
    const announced = (sq.tail - before + sq.entries) % sq.entries;
    // With shadow doorbells a register's value is held against no other.
    if (announced < 2 || this.#life.host.shadow) return;
    this.#life.note(`queue ${sq.qid}: tail jumps back`);
    this.#life.rig.write(tailDoorbell(sq.qid), (sq.tail - 1 + sq.entries) % sq.entries);
  }

  async #configureShadow(): Promise<void> {
    const { host, arena, rig } = this.#life;
    const { shadow: page, eventIdx } = arena;
    const prp1 = this.#random.oneIn(4) ? this.#random.pick([0, page + 8, RAM]) : page;
    if (!host.shadow) {
      // The pages say what the doorbells have said, before the controller looks at them.
      const { words } = rig.memory;
      words.fill(0, page / 4, page / 4 + 1024);
      for (const sq of host.sqs.values()) words[(page + sq.qid * 8) / 4] = sq.tail;
      for (const cq of host.cqs.values()) words[(page + cq.qid * 8 + 4) / 4] = cq.head;
    }
    const shadow = host.shadow ?? { page, eventIdx, inUse: false };
    host.shadow = shadow;
    const status = await this.#life.answer({ opcode: 0x7c, prp1, prp2: eventIdx });
    if (status === 0 && prp1 !== page)
      throw new Error("shadow doorbells were taken that are no page of memory");
    if (status === 0) shadow.inUse = true;
    else if (!shadow.inUse) host.shadow = undefined;
  }

  // --- Queues

  /** Enabled, and in nearly all cases with I/O queues. */
  async #start(): Promise<void> {
    const { host } = this.#life;
    const random = this.#random;
    this.#life.enable();
    if (random.oneIn(10)) return;
    for (let i = 3 + random.below(8); i > 0; i--) await this.#changeQueues([0x05, 0x01]);
    for (const qid of IO_QUEUES) {
      const [cqEntries, sqEntries] = [3 + random.below(8), 3 + random.below(14)];
      if (!host.cqs.has(qid)) await this.#create("cq", qid, cqEntries, [qid | ((cqEntries - 1) << 16), 3]);
      if (host.sqs.has(qid)) continue;
      await this.#create("sq", qid, sqEntries, [qid | ((sqEntries - 1) << 16), 1 | (qid << 16)]);
    }
  }

  async #restart(): Promise<void> {
    await this.#life.reset();
    await this.#start();
  }

  async #shutDown(): Promise<void> {
    if (this.#random.oneIn(2)) this.#disturbStorage();
    await this.#life.shutDown();
    await this.#restart();
  }

  /** Creates or deletes queues with values that may be wrong; what the controller says is what then holds. */
  async #changeQueues(opcodes = [0x00, 0x01, 0x01, 0x04, 0x05, 0x05]): Promise<void> {
    const random = this.#random;
    const qid = random.oneIn(12) ? random.pick([0, 5, 17, 0xffff]) : random.pick(IO_QUEUES);
    const opcode = random.pick(opcodes);
    if (opcode === 0x00 || opcode === 0x04) {
      await this.#delete(opcode, qid);
      return;
    }
    const kind = opcode === 0x01 ? "sq" : "cq";
    const entries = random.oneIn(8) ? random.pick([1, 1025, 0x10000]) : 2 + random.below(14);
    const cqid = random.oneIn(8) ? random.pick([0, 9, 0xffff]) : random.pick(IO_QUEUES);
    const cdw11 = (random.oneIn(10) ? 0 : 1) | (kind === "sq" ? cqid << 16 : random.below(4) << 1);
    const wrongBase = random.pick([1, 0xa0000, RAM, 2 ** 40]);
    const cdw = [(qid | ((entries - 1) << 16)) >>> 0, cdw11 >>> 0];
    const isKnown = IO_QUEUES.includes(qid) && entries <= 16;
    await this.#create(kind, qid, entries, cdw, isKnown && !random.oneIn(10) ? undefined : wrongBase);
  }

  async #delete(opcode: 0x00 | 0x04, qid: number): Promise<void> {
    const { host } = this.#life;
    if ((await this.#life.answer({ opcode, cdw: [qid] })) !== 0) return;
    const queues = opcode === 0x00 ? host.sqs : host.cqs;
    // What was not answered before the deletion was will not be.
    if (qid === 0 || !queues.delete(qid)) throw new Error(`queue ${qid} was deleted, and was not there`);
  }

  async #create(
    kind: "sq" | "cq",
    qid: number,
    entries: number,
    cdw: number[],
    wrongBase?: number,
  ): Promise<void> {
    const { host, rig } = this.#life;
    const base = wrongBase ?? this.#life.queueMemory(kind, qid);
    const exists = (kind === "sq" ? host.sqs : host.cqs).has(qid);
    if (!exists && wrongBase === undefined) rig.memory.bytes.fill(0, base, base + 4096);
    const status = await this.#life.answer({ opcode: kind === "sq" ? 0x01 : 0x05, prp1: base, cdw });
    if (status !== 0) return;
    if (wrongBase !== undefined || exists) throw new Error(`queue ${qid} was created against the rules`);
    if (kind === "sq") host.addSq(qid, base, entries, cdw[1] >>> 16);
    else host.addCq(qid, base, entries);
  }
}
