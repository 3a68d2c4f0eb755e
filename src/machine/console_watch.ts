/**
 * Watches the guest's console for two things that the machine must know of: the escape sequence that the shell prints
 * before its first prompt (OSC 133 ; A, the shell integration mark that terminals know; the rescue shell's has
 * `;rescue` added), and a kernel panic, which the kernel tells nobody else.
 */
const MARK = "\u001b]133;A";
const RESCUE_MARK = `${MARK};rescue\u0007`;
const SHELL_MARK = `${MARK}\u0007`;
const PANIC = "Kernel panic - not syncing";
/** What is kept of one batch finds what goes on in the next. */
const KEPT = Math.max(RESCUE_MARK.length, PANIC.length);

export interface ConsoleEvents {
  /** The first prompt; called once. */
  prompt(rescue: boolean): void;
  /** Called once. */
  panic(): void;
}

export class ConsoleWatch {
  readonly #events: ConsoleEvents;
  #tail = "";
  #prompted = false;
  #panicked = false;

  constructor(events: ConsoleEvents) {
    this.#events = events;
  }

  /** Console output. */
  receive(bytes: Uint8Array): void {
    const text = this.#tail + new TextDecoder("latin1").decode(bytes);
    this.#tail = text.slice(-KEPT);
    const rescue = text.includes(RESCUE_MARK);
    if (!this.#prompted && (rescue || text.includes(SHELL_MARK))) {
      this.#prompted = true;
      this.#events.prompt(rescue);
    }
    if (!this.#panicked && text.includes(PANIC)) {
      this.#panicked = true;
      this.#events.panic();
    }
  }
}
