/**
 * The namespaces as the serving side publishes them for the vCPU side. A sequence number that is odd while the table is
 * written lets the reader see whether it has read one state or parts of two.
 */
import type { NamespaceInfo } from "./namespace.ts";
import type { AllocatedNamespace } from "./namespace_store.ts";
import {
  Control,
  MAX_NAMESPACES,
  NAMESPACE_WORDS,
  NamespaceState,
  NamespaceWord,
  type SharedState,
} from "./shared_state.ts";
import { Status, type StatusCode } from "./spec/status.ts";

const wordOf = (nsid: number, word: number): number =>
  Control.NAMESPACE_TABLE + (nsid - 1) * NAMESPACE_WORDS + word;

/** The serving side's end. */
export class NamespacePublisher {
  readonly #shared: SharedState;

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  /** Replaces the whole table. */
  publish(namespaces: readonly AllocatedNamespace[], highestNsid: number): void {
    this.#change(() => {
      this.#shared.setControl(Control.HIGHEST_NSID, highestNsid);
      for (let nsid = 1; nsid <= MAX_NAMESPACES; nsid++) {
        this.#put(
          nsid,
          namespaces.find(namespace => namespace.nsid === nsid),
        );
      }
    });
  }

  publishUnallocated(bytes: number): void {
    const mebibytes = Math.min(0xffffffff, Math.floor(bytes / 2 ** 20));
    this.#change(() => this.#shared.setControl(Control.UNALLOCATED_MIB, mebibytes | 0));
  }

  #change(write: () => void): void {
    this.#shared.addControl(Control.NAMESPACE_SEQUENCE);
    write();
    this.#shared.addControl(Control.NAMESPACE_SEQUENCE);
  }

  #put(nsid: number, namespace: AllocatedNamespace | undefined): void {
    const words = wordsOf(namespace);
    const before = words.map((_, word) => this.#shared.getControl(wordOf(nsid, word)));
    if (words.every((value, word) => value === before[word])) return;
    for (const [word, value] of words.entries()) this.#shared.setControl(wordOf(nsid, word), value);
    // The host sees active namespaces alone: others change without a word.
    if (before[NamespaceWord.STATE] === NamespaceState.ATTACHED || namespace?.disk) {
      this.#shared.addControl(wordOf(nsid, NamespaceWord.CHANGES));
    }
  }
}

/** The words up to CHANGES. */
function wordsOf(namespace: AllocatedNamespace | undefined): number[] {
  if (!namespace) return new Array(NamespaceWord.CHANGES).fill(0);
  const { disk, lbaShift, blocks, nguid } = namespace;
  return [
    disk ? NamespaceState.ATTACHED : NamespaceState.DETACHED,
    lbaShift,
    (blocks % 2 ** 32) | 0,
    Math.floor(blocks / 2 ** 32),
    ...[0, 8, 16, 24].map(at => Number.parseInt(nguid.slice(at, at + 8), 16) | 0),
  ];
}

/** The vCPU side's end. */
export class NamespaceTable {
  readonly #shared: SharedState;
  /** Sequence of what was read last; odd: nothing yet. */
  #sequence = -1;
  #changes = new Int32Array(MAX_NAMESPACES);
  /** Attached to the controller. */
  active: readonly NamespaceInfo[] = [];
  /** All that exist. */
  allocated: readonly NamespaceInfo[] = [];
  /** Ids run from 1 to this number (NN). */
  highestNsid = 0;
  unallocatedBytes = 0;

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  /** Reads what was published since. Returns the ids of namespaces that came, went or changed as the host sees them. */
  refresh(): readonly number[] {
    const sequence = this.#shared.getControl(Control.NAMESPACE_SEQUENCE);
    // One that is being written is read at the next look, which comes: the serving side wakes this thread afterwards.
    if (sequence === this.#sequence || (sequence & 1) !== 0) return [];
    const states = ids.map(nsid => this.#shared.getControl(wordOf(nsid, NamespaceWord.STATE)));
    const read = ids.map(nsid => this.#read(nsid));
    const changes = Int32Array.from(ids, nsid =>
      this.#shared.getControl(wordOf(nsid, NamespaceWord.CHANGES)),
    );
    const highestNsid = this.#shared.getControl(Control.HIGHEST_NSID);
    const unallocated = this.#shared.getControl(Control.UNALLOCATED_MIB) >>> 0;
    if (this.#shared.getControl(Control.NAMESPACE_SEQUENCE) !== sequence) return [];
    const changed = ids.filter((_, i) => changes[i] !== this.#changes[i]);
    const isFirst = this.#sequence < 0;
    this.allocated = read.filter((_, i) => states[i] !== NamespaceState.ABSENT);
    this.active = read.filter((_, i) => states[i] === NamespaceState.ATTACHED);
    this.highestNsid = highestNsid;
    this.unallocatedBytes = unallocated * 2 ** 20;
    this.#changes = changes;
    this.#sequence = sequence;
    return isFirst ? [] : changed;
  }

  /** What a command ends with that names a namespace to work on (section 6.1): success if it is active. */
  statusOf(nsid: number): StatusCode {
    if (this.active.some(namespace => namespace.nsid === nsid)) return Status.success;
    return nsid >= 1 && nsid <= this.highestNsid ? Status.invalidField : Status.invalidNamespace;
  }

  /** Bytes that an allocated namespace takes. */
  allocatedBytes(nsid: number): number {
    return this.#shared.getControl(Control.ALLOCATED_KIB + nsid - 1) * 1024;
  }

  #read(nsid: number): NamespaceInfo {
    const word = (index: number) => this.#shared.getControl(wordOf(nsid, index)) >>> 0;
    return {
      nsid,
      lbaShift: word(NamespaceWord.LBA_SHIFT),
      blocks: word(NamespaceWord.BLOCKS_LOW) + word(NamespaceWord.BLOCKS_HIGH) * 2 ** 32,
      nguid: [0, 1, 2, 3]
        .map(i =>
          word(NamespaceWord.NGUID + i)
            .toString(16)
            .padStart(8, "0"),
        )
        .join(""),
    };
  }
}

const ids: readonly number[] = Array.from({ length: MAX_NAMESPACES }, (_, i) => i + 1);
