import type { Template } from "./template.ts";

/** Templates that the corpus keeps; older ones make way for new ones. */
const MOST_TEMPLATES = 4000;

const INVALID_OPCODE = 0x001;

/** What was reached: opcodes and statuses, in which state of the controller. */
export class Coverage {
  readonly #reached = new Set<string>();
  readonly statuses = new Map<number, number>();
  readonly #pairs = new Set<string>();
  readonly corpus: Template[] = [];
  #replaced = 0;

  /** A command has ended. One that has reached something new is kept. */
  add(template: Template, status: number, state: string): void {
    const code = status & 0x7ff;
    this.statuses.set(code, (this.statuses.get(code) ?? 0) + 1);
    const pair = `${template.isAdmin ? "admin" : "io"} ${template.opcode} ${code}`;
    this.#pairs.add(pair);
    const place = `${pair} ${template.flags} ${state}`;
    if (this.#reached.has(place)) return;
    this.#reached.add(place);
    // Of opcodes that there are not there is no more to learn.
    if (code === INVALID_OPCODE) return;
    if (this.corpus.length < MOST_TEMPLATES) this.corpus.push(template);
    else this.corpus[this.#replaced++ % MOST_TEMPLATES] = template;
  }

  /** Different (queue, opcode, status). */
  get pairs(): number {
    return this.#pairs.size;
  }

  /** Different (queue, opcode, status, data pointer and fusing, state). */
  get places(): number {
    return this.#reached.size;
  }
}
