import type { ScreenInput } from "../screen_protocol.ts";
import type { V86ByteQueue, V86Emulator } from "./seams.ts";

/** Typed ahead of the guest at most: what is more is dropped, as a keyboard's own buffer would. */
const MAX_GROUPS = 16_384;
/** v86's queues have room for so many bytes. */
const MAX_WAITING = 1024;
const MAX_GROUP = 64;

/** For a snapshot: what the guest has not read yet. */
export interface InputState {
  readonly keyboard: readonly number[];
  readonly mouse: readonly number[];
  /** Was the guest told of the next byte, and is that the mouse's? */
  readonly isReady: boolean;
  readonly isMouse: boolean;
  readonly groups: readonly (readonly number[])[];
}

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

  save(): InputState {
    const { ps2 } = this.#emulator.v86.cpu.devices;
    return {
      keyboard: bytesIn(ps2.kbd_buffer),
      mouse: bytesIn(ps2.mouse_buffer),
      isReady: ps2.next_byte_is_ready,
      isMouse: ps2.next_byte_is_aux,
      groups: this.#groups.map(group => [...group]),
    };
  }

  /**
   * After v86 has restored its own state, in which the interrupt of a byte that waits is raised: without the byte the guest would
   * never hear of the next one. Throws a sentence for what is no such state: it may come from a file.
   */
  restore({ keyboard, mouse, isReady, isMouse, groups }: InputState): void {
    const isShort = (bytes: unknown, most: number) =>
      Array.isArray(bytes) && bytes.length <= most && bytes.every(isByte);
    const isRight =
      isShort(keyboard, MAX_WAITING) &&
      isShort(mouse, MAX_WAITING) &&
      Array.isArray(groups) &&
      groups.length <= MAX_GROUPS &&
      groups.every(group => isShort(group, MAX_GROUP));
    if (!isRight) throw new Error("The saved state of keyboard and mouse is damaged.");
    const { ps2 } = this.#emulator.v86.cpu.devices;
    for (const byte of keyboard) ps2.kbd_buffer.push(byte);
    for (const byte of mouse) ps2.mouse_buffer.push(byte);
    ps2.next_byte_is_ready = isReady === true;
    ps2.next_byte_is_aux = isMouse === true;
    this.#groups.splice(0, this.#groups.length, ...groups);
  }
}

/** Such a queue can only be read by taking out: what is taken goes in again behind the others. */
function bytesIn(queue: V86ByteQueue): number[] {
  return Array.from({ length: queue.length }, () => {
    const byte = queue.shift();
    queue.push(byte);
    return byte;
  });
}

const isByte = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;

const clamp = (count: number): number => Math.max(-255, Math.min(255, Math.round(count) || 0));
