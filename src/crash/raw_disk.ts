/** The workload on raw blocks: what is written where, and what may be there after a crash. */
import { BLOCK_BYTES, blockContent } from "./content.ts";
import type { Random } from "./random.ts";

/** The part of the disk that is used: 4 chunks of 256 KiB. All of it comes back over the serial port in each round. */
export const RAW_BLOCKS = 256;
export const RAW_BYTES = RAW_BLOCKS * BLOCK_BYTES;
/** The guest's name for the disk that is written raw. */
export const RAW_DEVICE = "/dev/nvme0n2";
/** Version 0 is what a new disk holds. */
const EMPTY = 0;

/** One change of neighbouring blocks; all blocks of it get the same version. */
interface Change {
  readonly first: number;
  readonly blocks: number;
  readonly version: number;
  /** Deallocated or zeroed, not written. */
  readonly zeroes: boolean;
}

/** One command line for the guest, and what is known once it has succeeded. */
export interface RawStep {
  readonly command: string;
  readonly changes: readonly Change[];
  /** Everything changed so far is durable when the command has succeeded, or only its own changes, or nothing. */
  readonly durable: "all" | "own" | "none";
}

/** Shell functions for the guest. Each fails if anything in it does. */
export const RAW_FUNCTIONS = `D=${RAW_DEVICE}
put() {
  what="$1 $2 $3" at=$(($1 * ${BLOCK_BYTES})); shift 3
  gen $what | dd of=$D seek=$at iflag=fullblock status=none "$@"
}
fua() {
  gen $1 $2 $3 >/tmp/fua.$1 &&
    nvme write $D --force-unit-access --start-block=$(($1 * 8)) --block-count=$(($2 * 8 - 1)) \\
      --data-size=$(($2 * ${BLOCK_BYTES})) --data=/tmp/fua.$1 >/dev/null && rm /tmp/fua.$1
}
zap() { blkdiscard -f $3 -o $(($1 * ${BLOCK_BYTES})) -l $(($2 * ${BLOCK_BYTES})) $D; }
both() { "$@" & P="$P $!"; }
all() { R=0; for p in $P; do wait $p || R=1; done; P=; return $R; }`;

/** What a sector was found to hold that it may not. */
export interface Violation {
  readonly where: string;
  readonly found: string;
  readonly allowed: string;
}

/** Knows of each block which versions a crash may leave. */
export class RawDisk {
  /** Versions of each block since the last one that is known to be durable, which comes first. */
  #versions: number[][] = Array.from({ length: RAW_BLOCKS }, () => [EMPTY]);
  readonly #zeroes = new Set([EMPTY]);
  #lastVersion = EMPTY;

  /** Makes up the next step, and takes it as begun: from now on its changes may be on the disk. */
  nextStep(random: Random): RawStep {
    const step = this.#plan(random);
    for (const { first, blocks, version } of step.changes) {
      for (let block = first; block < first + blocks; block++) this.#versions[block].push(version);
    }
    return step;
  }

  /** The guest has said that the step's command has succeeded. */
  acknowledged({ durable, changes }: RawStep): void {
    if (durable === "none") return;
    if (durable === "all") {
      this.#versions = this.#versions.map(versions => versions.slice(-1));
      return;
    }
    // A later version of the same block cannot have been begun yet: steps come one after the other.
    for (const { first, blocks } of changes) {
      for (let block = first; block < first + blocks; block++) {
        this.#versions[block] = this.#versions[block].slice(-1);
      }
    }
  }

  /**
   * Compares the disk's content after a crash with what may be there. What was found counts as durable from then on,
   * as it came from storage. Empty if all is well.
   */
  check(content: Uint8Array): Violation[] {
    if (content.length !== RAW_BYTES) {
      throw new Error(`${content.length} bytes were read from the raw disk in place of ${RAW_BYTES}.`);
    }
    const violations: Violation[] = [];
    for (let block = 0; block < RAW_BLOCKS; block++) {
      const found = content.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
      const allowed = this.#versions[block];
      // The newest first: of equal contents (zeroes) it is the one that later ones follow.
      const version = allowed.findLast(candidate => equal(found, this.#content(block, candidate)));
      if (version !== undefined) this.#versions[block] = [version];
      else violations.push(this.#describe(block, found, allowed));
    }
    return violations;
  }

  #plan(random: Random): RawStep {
    const kind = random.integer(0, 9);
    const write = () => this.#newChange(random, false);
    switch (kind) {
      case 0: {
        // Through the page cache.
        const change = write();
        return {
          command: put(change, "bs=64k oflag=seek_bytes conv=notrunc,fsync"),
          changes: [change],
          durable: "all",
        };
      }
      case 1: {
        // O_DSYNC: the guest marks each write FUA, and flushes behind it.
        const change = this.#newChange(random, false, 8);
        return {
          command: put(change, "bs=4k oflag=seek_bytes,direct,dsync conv=notrunc"),
          changes: [change],
          durable: "all",
        };
      }
      case 2: {
        // FUA and no flush at all: durable is only this one.
        const change = this.#newChange(random, false, 32);
        return { command: `fua ${args(change)}`, changes: [change], durable: "own" };
      }
      case 3:
      case 4: {
        const change = this.#newChange(random, true);
        const flush = random.chance(0.5);
        const how = kind === 3 ? "" : "-z";
        return {
          command: `zap ${change.first} ${change.blocks} ${how}${flush ? " && nvme flush $D -n 2 >/dev/null" : ""}`,
          changes: [change],
          durable: flush ? "all" : "none",
        };
      }
      case 5: {
        // Two that overlap in time, in places that do not, and one flush behind both.
        const [one, two] = [this.#newChange(random, false, 64, 0), this.#newChange(random, false, 64, 1)];
        return {
          command: `both ${put(one, direct("16k"))}; both ${put(two, direct("4k"))}; all && nvme flush $D -n 2 >/dev/null`,
          changes: [one, two],
          durable: "all",
        };
      }
      case 6:
      case 7: {
        const change = write();
        return { command: put(change, `${direct("16k")},fsync`), changes: [change], durable: "all" };
      }
      default: {
        // Not flushed: may be there or not, but never torn.
        const change = write();
        return { command: put(change, direct("64k")), changes: [change], durable: "none" };
      }
    }
  }

  /** Mostly a few blocks, sometimes so many that they lie in two or three chunks. `half` keeps it in the first (0) or second (1) half. */
  #newChange(random: Random, zeroes: boolean, most = 96, half?: 0 | 1): Change {
    const blocks = random.integer(1, random.chance(0.6) ? Math.min(8, most) : most);
    const room = half === undefined ? RAW_BLOCKS : RAW_BLOCKS / 2;
    const first = random.integer(0, room - blocks) + (half === 1 ? room : 0);
    this.#lastVersion += 1;
    if (zeroes) this.#zeroes.add(this.#lastVersion);
    return { first, blocks, version: this.#lastVersion, zeroes };
  }

  #content(block: number, version: number): Uint8Array {
    return this.#zeroes.has(version) ? new Uint8Array(BLOCK_BYTES) : blockContent(block, version);
  }

  #describe(block: number, found: Uint8Array, allowed: readonly number[]): Violation {
    const text = new TextDecoder("latin1").decode(found);
    const lines = text.match(/[^\n]+/g)?.map(line => line.slice(0, 17)) ?? [];
    const named = found.every(byte => byte === 0)
      ? "zeroes"
      : [
          ...new Set(
            lines.map(line => (/^\d{7} \d{7} \d$/.test(line) ? line.slice(0, 15) : JSON.stringify(line))),
          ),
        ]
          .slice(0, 9)
          .join(", ");
    const name = (version: number) => (this.#zeroes.has(version) ? `${version} (zeroes)` : `${version}`);
    return {
      where: `${RAW_DEVICE} block ${block} (byte ${block * BLOCK_BYTES})`,
      found: named,
      allowed: `version ${allowed.map(name).join(" or ")} as a whole`,
    };
  }
}

const args = ({ first, blocks, version }: Change) => `${first} ${blocks} ${version}`;
const put = (change: Change, options: string) => `put ${args(change)} ${options}`;
/** O_DIRECT: one request of each dd block. */
const direct = (blockSize: string) => `bs=${blockSize} oflag=seek_bytes,direct conv=notrunc`;

const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
