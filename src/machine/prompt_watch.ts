/**
 * Finds the escape sequence that the guest's shell prints before its first prompt: OSC 133 ; A, the shell integration
 * mark that terminals know; the rescue shell's has `;rescue` added.
 */
const MARK = "\u001b]133;A";
const RESCUE_MARK = `${MARK};rescue\u0007`;
const SHELL_MARK = `${MARK}\u0007`;

export class PromptWatch {
  readonly #onPrompt: (rescue: boolean) => void;
  #tail = "";
  #found = false;

  constructor(onPrompt: (rescue: boolean) => void) {
    this.#onPrompt = onPrompt;
  }

  /** Console output. Calls back at the first mark, and never again. */
  receive(bytes: Uint8Array): void {
    if (this.#found) return;
    const text = this.#tail + new TextDecoder("latin1").decode(bytes);
    // What is kept of one batch finds a mark that goes on in the next.
    this.#tail = text.slice(-RESCUE_MARK.length);
    const rescue = text.includes(RESCUE_MARK);
    if (!rescue && !text.includes(SHELL_MARK)) return;
    this.#found = true;
    this.#onPrompt(rescue);
  }
}
