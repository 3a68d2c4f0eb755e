import { expect, it } from "vitest";
import { explainGuestFaults } from "./guest_faults.ts";
import type { V86Emulator } from "./seams.ts";

function ticking(tick: () => void): () => void {
  const v86 = { do_tick: tick };
  explainGuestFaults({ v86 } as unknown as V86Emulator);
  return () => v86.do_tick();
}

it("tells of a guest that faults without end, and leaves other errors as they are", () => {
  const endless = (): void => endless();
  expect(ticking(endless)).toThrow("the guest has crashed its processor");
  expect(
    ticking(() => {
      throw new WebAssembly.RuntimeError("memory access out of bounds");
    }),
  ).toThrow("the guest has crashed its processor");
  expect(
    ticking(() => {
      throw new TypeError("ours");
    }),
  ).toThrow("ours");
  expect(ticking(() => {})).not.toThrow();
});
