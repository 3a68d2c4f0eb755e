import type { ScreenInput } from "../screen_protocol.ts";
import type { V86Emulator } from "./seams.ts";

/** Typed ahead of the guest at most: what is more is dropped, as a keyboard's own buffer would. */
const MAX_GROUPS = 16_384;

/** The guest's PS/2 keyboard and mouse, as somebody at the page uses them. */
export class InputDevices {
  readonly #emulator: V86Emulator;
  /** Keys that the guest has not been given yet. */
  readonly #groups: (readonly number[])[] = [];

  constructor(emulator: V86Emulator) {
    this.#emulator = emulator;
  }

  receive(input: ScreenInput): void {
    const { bus } = this.#emulator;
    switch (input.kind) {
      case "keys":
        if (this.#groups.length + input.groups.length <= MAX_GROUPS) this.#groups.push(...input.groups);
        this.pump();
        return;
      case "move":
        // v86 counts upwards; a PS/2 packet has nine bits with the sign.
        bus.send("mouse-delta", [clamp(input.x), -clamp(input.y)]);
        return;
      case "buttons":
        bus.send("mouse-click", [input.left, input.middle, input.right]);
        return;
      case "wheel":
        bus.send("mouse-wheel", [-clamp(input.notches), 0]);
        return;
    }
  }

  /** Gives the next key once the guest has read the one before: firmware keeps sixteen, and drops the rest. */
  pump(): void {
    const { bus, v86 } = this.#emulator;
    if (this.#groups.length === 0 || v86.cpu.devices.ps2.kbd_buffer.length > 0) return;
    for (const code of this.#groups.shift() ?? []) bus.send("keyboard-code", code & 0xff);
  }
}

const clamp = (count: number): number => Math.max(-255, Math.min(255, Math.round(count) || 0));
