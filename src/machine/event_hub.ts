import type { MachineEvents } from "./api.ts";

/** The listeners of a machine's events. */
export class EventHub {
  readonly #listeners: { [E in keyof MachineEvents]: Set<MachineEvents[E]> } = {
    state: new Set(),
    boot: new Set(),
    output: new Set(),
    notice: new Set(),
    unsaved: new Set(),
    faults: new Set(),
    pace: new Set(),
  };
  /** Console output from before there was a terminal. */
  readonly #unheard: Uint8Array[] = [];

  /** The first listener to `output` gets what came before. */
  on<E extends keyof MachineEvents>(event: E, listener: MachineEvents[E]): () => void {
    this.#listeners[event].add(listener);
    if (event === "output") for (const bytes of this.#unheard.splice(0)) this.emit("output", bytes);
    return () => this.#listeners[event].delete(listener);
  }

  emit<E extends keyof MachineEvents>(event: E, ...args: Parameters<MachineEvents[E]>): void {
    for (const listener of this.#listeners[event])
      (listener as (...args: Parameters<MachineEvents[E]>) => void)(...args);
  }

  output(bytes: Uint8Array): void {
    if (this.#listeners.output.size === 0) this.#unheard.push(bytes);
    this.emit("output", bytes);
  }
}
