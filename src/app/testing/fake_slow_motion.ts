import type { MachineSlowMotion, Speed } from "../../machine/api.ts";

/** Slow motion of a machine that does nothing: each step happens at once. */
export class FakeSlowMotion implements MachineSlowMotion {
  speed: Speed = 1;
  readonly stepping = undefined;
  readonly #changed: (speed: Speed) => void;

  constructor(changed: (speed: Speed) => void) {
    this.#changed = changed;
  }

  get standsStill(): boolean {
    return this.speed === "paused";
  }

  pause(): void {
    this.set("paused");
  }

  resume(): void {
    this.set(1);
  }

  set(speed: Speed): void {
    this.speed = speed;
    this.#changed(speed);
  }

  async step(): Promise<boolean> {
    this.pause();
    return true;
  }
}
