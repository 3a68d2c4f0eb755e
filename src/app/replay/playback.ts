/** A saved trace on its time line: where it is played, and what has happened until there. */
import type { SavedTrace } from "../../trace/saved_trace.ts";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import type { Follower, Stretch, Watched } from "../watched.ts";
import { ReplayedQueues } from "./replayed_queues.ts";

export class Playback implements Watched {
  readonly settings: Watched["settings"];
  readonly about: SavedTrace["about"];
  readonly records: readonly TraceRecord[];
  /** Microseconds from the first record to the last. */
  readonly duration: number;
  #position: number;
  /** How many records have happened. */
  #passed: number;
  #observation: Stretch;

  /** It stands at its end, so that all of it is seen. */
  constructor({ about, records }: SavedTrace) {
    this.about = about;
    this.settings = about;
    this.records = records;
    this.duration = records.at(-1)?.time ?? 0;
    this.#position = this.duration;
    this.#passed = records.length;
    this.#observation = this.#fromStart();
  }

  get observation(): Stretch {
    return this.#observation;
  }

  /** Microseconds since the first record. */
  get position(): number {
    return this.#position;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.duration;
  }

  /** Plays on, or goes back: then all is seen anew from the start. Positions beyond the ends are the ends. */
  seek(position: number): void {
    const wanted = Math.min(this.duration, Math.max(0, position));
    if (wanted < this.#position) {
      this.#passed = 0;
      this.#observation = this.#fromStart();
    }
    this.#position = wanted;
    while (this.#passed < this.records.length && this.records[this.#passed].time <= wanted) this.#passed += 1;
  }

  /** To the next moment at which something happened. */
  step(): void {
    this.seek(this.records[this.#passed]?.time ?? this.duration);
  }

  /** Nothing needs to be told. */
  observe(): () => void {
    return () => {};
  }

  counters() {
    const counts = { doorbellsRung: 0, doorbellsSwept: 0, commands: 0, interrupts: 0 };
    for (let i = 0; i < this.#passed; i++) {
      const { kind, c } = this.records[i];
      if (kind === TraceKind.tailRung) counts.doorbellsRung += 1;
      else if (kind === TraceKind.swept) counts.doorbellsSwept += 1;
      else if (kind === TraceKind.interrupt) counts.interrupts += 1;
      // As the machine's own counter: I/O commands.
      else if (kind === TraceKind.posted && (c & 0xffff) !== 0) counts.commands += 1;
    }
    return counts;
  }

  async namespaces() {
    return this.about.namespaces;
  }

  follow(): Follower {
    let next = 0;
    return {
      lost: this.about.lost,
      read: each => {
        while (next < this.#passed) each(this.records[next++]);
      },
    };
  }

  #fromStart(): Stretch {
    const hasShadow = this.about.shadowDoorbells === "dbbuf";
    const queues = new ReplayedQueues(this.about.queues, hasShadow, this.follow());
    return { queues, now: () => this.#position };
  }
}
