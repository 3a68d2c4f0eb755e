import type { V86Emulator } from "./seams.ts";

/**
 * A guest whose page tables are gone faults while a fault is delivered to it. A PC resets then (triple fault); v86 calls
 * itself until the stack is full. The machine cannot go on, but the reason can be told: it is the guest's.
 */
export function explainGuestFaults({ v86 }: V86Emulator): void {
  const tick = v86.do_tick.bind(v86);
  v86.do_tick = () => {
    try {
      tick();
    } catch (error) {
      if (!isOverflow(error)) throw error;
      throw new Error("the guest has crashed its processor (on a PC: a triple fault, and a reset)", {
        cause: error,
      });
    }
  };
}

/** Of JavaScript's stack, or of the one that wasm has in its memory. */
const isOverflow = (error: unknown): boolean =>
  error instanceof RangeError || error instanceof WebAssembly.RuntimeError;
