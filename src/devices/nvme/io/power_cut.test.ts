import fc from "fast-check";
import { expect, it } from "vitest";
import { type BlockBackend, StorageError } from "../../../storage/block_backend.ts";
import { BlockCache } from "../../../storage/cache/block_cache.ts";
import { FaultBackend, hang } from "../../../storage/fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../../../storage/memory_backend.ts";
import { ManualScheduler } from "../../../storage/testing/test_support.ts";
import { type Command, PAGE, type QueuePair, Rig } from "../testing/driver.ts";

/**
 * What the controller promises of a power cut, checked at any moment: commands of three clients at a time on two disks,
 * over storage that is slow, fails, or does not answer for longer than anybody waits; with controller resets, disks
 * that are closed, and machines that die and start again on what they left behind.
 *
 * Checked for each physical block of 4 KiB (NAWUPF): it is as it was at the last acknowledged flush, or as some later
 * write left it, as a whole.
 */
const SECTOR = 512;
const SECTORS = PAGE / SECTOR;
const CLIENTS = 3;
/** Each client has so many blocks of each disk to itself, one after the other. */
const OWN_BLOCKS = 3;
const BLOCKS = CLIENTS * OWN_BLOCKS + 1;
const CHUNK = 2 * PAGE;
/** With a journal, commits of single sectors mix with those of whole chunks. */
const journal = { blockBytes: SECTOR, blockLimit: 6, chunkLimit: 3 };
const MOST_SECTORS = 2 * SECTORS;
const ALL = 0xffffffff;

const range = {
  client: fc.nat(CLIENTS - 1),
  disk: fc.constantFrom(0, 0, 0, 1),
  sector: fc.oneof(fc.constantFrom(0, SECTORS, 2 * SECTORS), fc.nat(OWN_BLOCKS * SECTORS - 1)),
  sectors: fc.oneof(fc.constantFrom(SECTORS, 2 * SECTORS), fc.integer({ min: 1, max: MOST_SECTORS })),
};
const action = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constantFrom("write", "write", "fua", "zeroes", "deallocate"),
      ...range,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("flush"),
      client: fc.nat(CLIENTS - 1),
      nsid: fc.constantFrom(1, 1, 2, ALL),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(0, 1, 10, 1100, 31_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("reset", "reset", "die", "close", "format", "format", "cache on", "cache off"),
    }),
  },
);
type Action = {
  kind: string;
  client?: number;
  disk?: number;
  sector?: number;
  sectors?: number;
  nsid?: number;
  ms?: number;
};

/** What a backend does with its next request. */
const answer = fc.constantFrom("at once", "at once", "soon", "late", "fail", "hang", "hang and fail");

/** The sectors of a block, each with the version that filled it. */
type Content = readonly number[];

/** Which contents of a block are possible, in the order of time; the first is the last one known to be durable. */
class BlockHistory {
  #epochs: { readonly seq: number; readonly contents: readonly Content[] }[] = [
    { seq: 0, contents: [new Array<number>(SECTORS).fill(0)] },
  ];
  #seq = 0;

  get now(): number {
    return this.#seq;
  }

  get current(): readonly Content[] {
    return this.#epochs[this.#epochs.length - 1].contents;
  }

  set(contents: readonly Content[]): void {
    const distinct = new Map(contents.map(content => [content.join(), content]));
    this.#seq += 1;
    this.#epochs.push({ seq: this.#seq, contents: [...distinct.values()] });
  }

  /** What was there at `seq` is durable. */
  durableSince(seq: number): void {
    this.#epochs = this.#epochs.filter(epoch => epoch.seq >= seq);
  }

  check(found: Content, where: string): void {
    const allowed = new Set(this.#epochs.flatMap(({ contents }) => contents.map(content => content.join())));
    expect([...allowed], where).toContain(found.join());
  }
}

/** A command under way, and what is known once it succeeds, or fails. */
interface Outstanding {
  readonly cid: number;
  succeeded(): void;
  failed(): void;
}

class World {
  readonly #answers: string[];
  readonly #stores: readonly MemoryStore[] = [new Map(), new Map()];
  readonly #histories = this.#stores.map(() => Array.from({ length: BLOCKS }, () => new BlockHistory()));
  readonly #scheduler = new ManualScheduler();
  readonly #outstanding = new Map<number, Outstanding>();
  #caches: readonly BlockCache[] = [];
  #life = 0;
  #version = 0;
  #rig!: Rig;
  #io!: QueuePair;
  #buffers: readonly number[] = [];

  readonly #journaled: boolean;
  /** The volatile write cache; without it each write is durable when it completes. */
  #cacheOn = true;

  constructor(answers: readonly string[], journaled: boolean) {
    this.#answers = [...answers];
    this.#journaled = journaled;
  }

  async start(): Promise<void> {
    this.#life += 1;
    this.#caches = await Promise.all(
      this.#stores.map(store =>
        BlockCache.open(this.#backend(store), {
          cacheBytes: 5 * CHUNK,
          dirtyBytes: 3 * CHUNK,
          writeBackBytes: 2 * CHUNK,
          scheduler: this.#scheduler,
        }),
      ),
    );
    this.#rig = await Rig.create({
      disks: this.#caches.map((device, i) => ({ nsid: i + 1, blocks: BLOCKS * SECTORS, device })),
    });
    this.#buffers = Array.from({ length: CLIENTS }, () => this.#rig.alloc(MOST_SECTORS * SECTOR + PAGE));
    await this.#enable();
  }

  async #enable(): Promise<void> {
    this.#cacheOn = true;
    this.#rig.enable();
    this.#io = await this.#rig.createQueues();
  }

  /** Requests of a life that is over never reach the store. */
  #backend(store: MemoryStore): BlockBackend {
    const life = this.#life;
    const take = async () => {
      const kind = this.#answers.shift() ?? "at once";
      const ms = { soon: 2, late: 1500, hang: 40_000, "hang and fail": 40_000 }[kind] ?? 0;
      if (ms > 0) await new Promise<void>(resolve => void this.#scheduler.after(ms, resolve));
      if (life !== this.#life) await hang();
      if (kind.includes("fail")) throw new StorageError("io", "injected");
    };
    const traits = this.#journaled ? journal : undefined;
    const memory = new MemoryBackend(CHUNK, (BLOCKS * PAGE) / CHUNK, store, traits);
    const commit = memory.commit.bind(memory);
    memory.commit = changes => (life === this.#life ? commit(changes) : hang());
    return new FaultBackend(memory, { read: take, commit: take });
  }

  async perform(step: Action): Promise<void> {
    if (step.kind === "wait") await this.wait(step.ms ?? 0);
    else if (step.kind === "reset") await this.#reset();
    else if (step.kind === "die") await this.#die();
    else if (step.kind === "close") await this.#close();
    else if (step.kind === "format") await this.#format();
    else if (step.kind.startsWith("cache")) await this.#switchCache(step.kind === "cache on");
    else if (!this.#outstanding.has(step.client ?? 0)) {
      if (step.kind === "flush") this.#flush(step);
      else this.#change(step);
    }
    this.#turn();
    this.checkPowerCut();
  }

  /** Lets time pass, in steps, as devices look in between. */
  async wait(ms: number): Promise<void> {
    for (const part of [0, 0, ms, 0]) {
      this.#turn();
      await this.#scheduler.advance(part);
    }
    this.#turn();
  }

  #turn(): void {
    this.#rig.pump();
    for (const { cid, status } of this.#io.reap()) {
      for (const [client, command] of this.#outstanding) {
        if (command.cid !== cid) continue;
        this.#outstanding.delete(client);
        if (status === 0) command.succeeded();
        else command.failed();
      }
    }
    expect(this.#rig.bugs).toEqual([]);
  }

  #change({ kind, client = 0, disk = 0, sector: at = 0, sectors: most = 1 }: Action): void {
    const sectors = Math.min(most, OWN_BLOCKS * SECTORS - at);
    const first = client * OWN_BLOCKS * SECTORS + at;
    const version = kind === "write" || kind === "fua" ? ++this.#version : 0;
    const buffer = this.#buffers[client];
    const { words } = this.#rig.memory;
    const cdw = [first, 0, (sectors - 1) | (kind === "fua" ? 1 << 30 : 0)];
    let command: Command;
    if (kind === "zeroes") command = { opcode: 0x08, nsid: disk + 1, cdw };
    else if (kind === "deallocate") {
      words.set([0, sectors, first, 0], buffer / 4);
      command = { opcode: 0x09, nsid: disk + 1, prp1: buffer, cdw: [0, 4] };
    } else {
      words.fill(version, buffer / 4, (buffer + sectors * SECTOR) / 4);
      // The pages follow each other; the list, where there is one, lies behind them.
      const pages = Math.ceil((sectors * SECTOR) / PAGE);
      const list = buffer + MOST_SECTORS * SECTOR;
      for (let i = 1; i < pages; i++) words.set([buffer + i * PAGE, 0], (list + (i - 1) * 8) / 4);
      command = { opcode: 0x01, nsid: disk + 1, prp1: buffer, prp2: pages > 2 ? list : buffer + PAGE, cdw };
    }
    const touched = Array.from(
      { length: Math.floor((first + sectors - 1) / SECTORS) - Math.floor(first / SECTORS) + 1 },
      (_, i) => Math.floor(first / SECTORS) + i,
    ).map(block => {
      const history = this.#histories[disk][block];
      const before = history.current;
      const after = before.map(content =>
        content.map((old, i) => {
          const sector = block * SECTORS + i;
          return sector >= first && sector < first + sectors ? version : old;
        }),
      );
      history.set([...before, ...after]);
      return { history, after };
    });
    const cacheOn = this.#cacheOn;
    this.#outstanding.set(client, {
      cid: this.#io.submit(command),
      succeeded: () => {
        const durable = kind === "fua" || (kind !== "deallocate" && !cacheOn && !this.#cacheOn);
        for (const { history, after } of touched) {
          history.set(after);
          if (durable) history.durableSince(history.now);
        }
      },
      failed: () => {},
    });
  }

  #flush({ client = 0, nsid = ALL }: Action): void {
    const marks = this.#histories
      .filter((_, disk) => nsid === ALL || nsid === disk + 1)
      .flatMap(histories => histories.map(history => ({ history, seq: history.now })));
    this.#outstanding.set(client, {
      cid: this.#io.submit({ opcode: 0x00, nsid }),
      succeeded: () => {
        for (const { history, seq } of marks) history.durableSince(seq);
      },
      failed: () => {},
    });
  }

  /** Whatever was under way is never answered; it may have happened or not. */
  async #reset(): Promise<void> {
    this.#outstanding.clear();
    this.#rig.disable();
    await this.#enable();
  }

  /** Feature 06h; a reset switches it on again. */
  async #switchCache(on: boolean): Promise<void> {
    expect((await this.#rig.command({ opcode: 0x09, cdw: [0x06, on ? 1 : 0] })).status).toBe(0);
    this.#cacheOn = on;
  }

  async #format(): Promise<void> {
    if (this.#outstanding.size > 0) return;
    const cid = this.#rig.admin.submit({ opcode: 0x80, nsid: ALL, cdw: [0] });
    for (;;) {
      await this.wait(1000);
      const answer = this.#rig.admin.reap().find(cqe => cqe.cid === cid);
      if (!answer) continue;
      for (const history of this.#histories.flat()) {
        const zeroes = new Array<number>(SECTORS).fill(0);
        history.set(answer.status === 0 ? [zeroes] : [...history.current, zeroes]);
        if (answer.status === 0) history.durableSince(history.now);
      }
      return;
    }
  }

  /** The browser is killed and started again. What it finds is what was durable. */
  async #die(): Promise<void> {
    this.checkPowerCut();
    this.#outstanding.clear();
    this.#life += 1;
    for (const [disk, histories] of this.#histories.entries()) {
      for (const [block, history] of histories.entries()) {
        history.set([this.#stored(disk, block)]);
        history.durableSince(history.now);
      }
    }
    await this.start();
  }

  /** An orderly end in the middle of everything: if it succeeds, all that was completed is durable. */
  async #close(): Promise<void> {
    const marks = this.#histories.flat().map(history => ({ history, seq: history.now }));
    const closing = Promise.allSettled(this.#caches.map(cache => cache.close()));
    let closed: PromiseSettledResult<void>[] | undefined;
    void closing.then(results => {
      closed = results;
    });
    while (!closed) await this.wait(1000);
    if (closed.every(({ status }) => status === "fulfilled")) {
      for (const { history, seq } of marks) history.durableSince(seq);
    }
    await this.#die();
  }

  #stored(disk: number, block: number): Content {
    const chunk = this.#stores[disk].get(Math.floor((block * PAGE) / CHUNK));
    const at = (block * PAGE) % CHUNK;
    return Array.from({ length: SECTORS }, (_, i) => {
      if (!chunk) return 0;
      const words = new Uint32Array(chunk.buffer, chunk.byteOffset + at + i * SECTOR, SECTOR / 4);
      return words.every(word => word === words[0]) ? words[0] : Number.NaN;
    });
  }

  checkPowerCut(): void {
    for (const [disk, histories] of this.#histories.entries()) {
      for (const [block, history] of histories.entries()) {
        history.check(this.#stored(disk, block), `disk ${disk + 1}, block ${block}`);
      }
    }
  }

  /** Everything is answered at last, and a flush on storage that works saves all of it. */
  async finish(): Promise<void> {
    this.#answers.length = 0;
    for (let seconds = 0; this.#outstanding.size > 0; seconds++) {
      expect(seconds, "seconds that a command takes").toBeLessThan(200);
      await this.wait(1000);
    }
    for (let tries = 0; ; tries++) {
      expect(tries, "flushes that fail on storage that works").toBeLessThan(60); // one may still hang
      let saved = false;
      const marks = this.#histories.flat().map(history => ({ history, seq: history.now }));
      this.#outstanding.set(0, {
        cid: this.#io.submit({ opcode: 0x00, nsid: ALL }),
        succeeded: () => {
          saved = true;
          for (const { history, seq } of marks) history.durableSince(seq);
        },
        failed: () => {},
      });
      while (this.#outstanding.size > 0) await this.wait(1000);
      if (saved) break;
    }
    this.checkPowerCut();
  }
}

it("a power cut at any moment leaves what was flushed, or newer, block by block", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 60 }),
      fc.array(answer, { maxLength: 60 }),
      fc.boolean(),
      async (actions, answers, journaled) => {
        const world = new World(answers, journaled);
        await world.start();
        for (const step of actions) await world.perform(step);
        await world.finish();
      },
    ),
    { numRuns: Number(process.env.POWER_CUT_RUNS ?? 100) },
  );
});
