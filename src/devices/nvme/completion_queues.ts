import type { CompletionQueue } from "./completion_queue.ts";

/** The completion queues of a controller. Lists are kept ready, because they are walked at each safe point. */
export class CompletionQueues {
  readonly #byId = new Map<number, CompletionQueue>();
  #admin: CompletionQueue | undefined;
  #io: readonly CompletionQueue[] = [];
  #all: readonly CompletionQueue[] = [];

  /** I/O completion queues. */
  get io(): readonly CompletionQueue[] {
    return this.#io;
  }

  /** The same, and the admin queue before them. */
  get all(): readonly CompletionQueue[] {
    return this.#all;
  }

  /** An I/O completion queue. */
  get(id: number): CompletionQueue | undefined {
    return this.#byId.get(id);
  }

  add(queue: CompletionQueue): void {
    this.#byId.set(queue.id, queue);
    this.#list();
  }

  delete(id: number): void {
    this.#byId.delete(id);
    this.#list();
  }

  /** All are gone; from now on there is this admin queue, or none. */
  restart(admin: CompletionQueue | undefined): void {
    this.#byId.clear();
    this.#admin = admin;
    this.#list();
  }

  /** Completions of a submission queue that wait for room. */
  waitingOf(sqid: number): number {
    return this.#io.reduce((count, queue) => count + queue.waitingOf(sqid), 0);
  }

  #list(): void {
    this.#io = [...this.#byId.values()];
    this.#all = this.#admin ? [this.#admin, ...this.#io] : this.#io;
  }
}
