/** Slow motion and single steps, the page's end: words in shared memory, so it works whatever the workers are busy with. */
import type { MachineSignals } from "../devices/machine_signals.ts";
import { Step, type StepName } from "../devices/pace.ts";
import type { MachineSlowMotion, Speed } from "./api.ts";

export const speeds = [1, 10, 100, 1000] as const;

/** A step is looked for so often, in milliseconds. */
const LOOK_MS = 10;

export interface SlowMotionOptions {
  /** Of the present boot. */
  readonly signals: () => MachineSignals;
  readonly isRunning: () => boolean;
  readonly changed: (speed: Speed) => void;
}

export class SlowMotion implements MachineSlowMotion {
  readonly #options: SlowMotionOptions;
  #speed: Speed = 1;
  #stepping: StepName | undefined;

  constructor(options: SlowMotionOptions) {
    this.#options = options;
  }

  get speed(): Speed {
    return this.#speed;
  }

  get stepping(): StepName | undefined {
    return this.#stepping;
  }

  get standsStill(): boolean {
    const { pace } = this.#options.signals();
    return pace.isStanding && pace.step === Step.none && pace.guestStands;
  }

  pause(): void {
    this.set("paused");
  }

  resume(): void {
    this.set(1);
  }

  set(speed: Speed): void {
    if (speed !== "paused" && !(speeds as readonly number[]).includes(speed)) {
      throw new Error(`"${speed}" is no speed: take "paused", or one of ${speeds.join(", ")} for 1/N.`);
    }
    if (speed !== 1 && !this.#options.isRunning()) {
      throw new Error("The machine is not running: there is nothing to slow down.");
    }
    const { pace } = this.#options.signals();
    pace.take(pace.step);
    pace.slowness = speed === "paused" ? 0 : speed;
    this.#wake();
    if (speed === this.#speed) return;
    this.#speed = speed;
    this.#options.changed(speed);
  }

  async step(kind: StepName): Promise<boolean> {
    if (!(kind in Step) || (kind as string) === "none") {
      throw new Error(`"${kind}" is no step: take "doorbell", "fetch" or "completion".`);
    }
    if (this.#speed !== "paused") this.pause();
    const signals = this.#options.signals();
    const { pace } = signals;
    await until(() => pace.guestStands || !pace.isStanding || this.#options.signals() !== signals);
    if (!pace.isStanding || !pace.ask(Step[kind])) return false;
    this.#stepping = kind;
    this.#options.changed(this.#speed);
    this.#wake();
    try {
      // The guest may have been let run for it: it happened when all stands still again.
      await until(
        () =>
          !pace.isStanding ||
          (pace.step === Step.none && pace.guestStands) ||
          this.#options.signals() !== signals,
      );
    } finally {
      this.#stepping = undefined;
      this.#options.changed(this.#speed);
    }
    return pace.isStanding && this.#options.signals() === signals;
  }

  /** Another boot: it begins at full speed. */
  forget(): void {
    const { pace } = this.#options.signals();
    pace.take(pace.step);
    pace.slowness = 1;
    this.#wake();
    if (this.#speed === 1) return;
    this.#speed = 1;
    this.#options.changed(1);
  }

  #wake(): void {
    const { serverNotifier, vcpuNotifier } = this.#options.signals();
    serverNotifier.set();
    vcpuNotifier.set();
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, LOOK_MS));
}
