/** Keeps strings over visits, as `localStorage` does. */
export interface Memory {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export const noMemory: Memory = { getItem: () => null, setItem: () => {} };

/** Under this key is BOOTED when the last visit began with a boot: what the next page asks for first (scripts/build/preloads.ts). */
export const LAST_START = "doorbell.lastStart";
export const BOOTED = "boot";

export function hasBooted(memory: Memory): boolean {
  try {
    return memory.getItem(LAST_START) === BOOTED;
  } catch {
    return false;
  }
}

export function rememberStart(memory: Memory, isShipped: boolean): void {
  try {
    memory.setItem(LAST_START, isShipped ? "shipped" : BOOTED);
  } catch {
    // Storage is full or forbidden: the next page may ask for an image that it does not use.
  }
}
