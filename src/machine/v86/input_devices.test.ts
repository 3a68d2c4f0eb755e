import { beforeEach, describe, expect, it } from "vitest";
import { InputDevices, type InputState } from "./input_devices.ts";
import type { V86Emulator } from "./seams.ts";

/** As v86's: bytes go in at one end and out at the other. */
class Queue {
  readonly bytes: number[] = [];
  get length() {
    return this.bytes.length;
  }
  push(byte: number) {
    this.bytes.push(byte);
  }
  shift() {
    return this.bytes.shift() ?? -1;
  }
}

function makeRig() {
  const ps2 = {
    kbd_buffer: new Queue(),
    mouse_buffer: new Queue(),
    next_byte_is_ready: false,
    next_byte_is_aux: false,
  };
  const bus = {
    send(event: string, value: number) {
      if (event === "keyboard-code") ps2.kbd_buffer.push(value);
    },
  };
  const emulator = { bus, v86: { cpu: { devices: { ps2 } } } } as unknown as V86Emulator;
  return { ps2, input: new InputDevices(emulator) };
}

describe("keyboard and mouse in a snapshot", () => {
  let before: ReturnType<typeof makeRig>;
  beforeEach(() => {
    before = makeRig();
  });

  it("keep what the guest has not read, and what was typed ahead", () => {
    const { ps2, input } = before;
    input.receive({ kind: "keys", groups: [[0x1e, 0x9e], [0x30, 0xb0], [0x2e]] });
    for (const byte of [8, 1, 255]) ps2.mouse_buffer.push(byte);
    Object.assign(ps2, { next_byte_is_ready: true, next_byte_is_aux: true });
    const state = JSON.parse(JSON.stringify(input.save())) as InputState;
    // It goes on as if nothing had been taken.
    expect([ps2.kbd_buffer.bytes, ps2.mouse_buffer.bytes]).toEqual([
      [0x1e, 0x9e],
      [8, 1, 255],
    ]);

    const after = makeRig();
    after.input.restore(state);
    expect(after.ps2).toMatchObject({ next_byte_is_ready: true, next_byte_is_aux: true });
    expect(after.ps2.mouse_buffer.bytes).toEqual([8, 1, 255]);
    expect(after.ps2.kbd_buffer.bytes).toEqual([0x1e, 0x9e]);
    after.ps2.kbd_buffer.bytes.length = 0;
    after.input.pump();
    expect(after.ps2.kbd_buffer.bytes).toEqual([0x30, 0xb0]);
  });

  it("take no state that is none", () => {
    const state = before.input.save();
    const bad = [
      { keyboard: [256] },
      { keyboard: new Array(1025).fill(0) },
      { mouse: "abc" },
      { groups: [[-1]] },
      { groups: [new Array(65).fill(1)] },
      { groups: new Array(20_000).fill([1]) },
      { groups: 1 },
    ];
    for (const change of bad) {
      const { ps2, input } = makeRig();
      expect(() => input.restore({ ...state, ...change } as InputState), JSON.stringify(change)).toThrow(
        "damaged",
      );
      expect(ps2.kbd_buffer.length).toBe(0);
    }
  });
});
