import type { BootStage, BootStageTiming } from "./api.ts";

/** Where the time of one boot goes. */
export class BootTimeline {
  /** On performance.now()'s scale. */
  readonly startedAt = performance.now();
  readonly #onChange: (stages: readonly BootStageTiming[]) => void;
  #stages: readonly BootStageTiming[] = [];

  constructor(onChange: (stages: readonly BootStageTiming[]) => void) {
    this.#onChange = onChange;
  }

  get stages(): readonly BootStageTiming[] {
    return this.#stages;
  }

  has(stage: BootStage): boolean {
    return this.#stages.some(timing => timing.stage === stage);
  }

  /** Returns what ends the stage. */
  begin(stage: BootStage): () => void {
    this.#change([...this.#stages, { stage, startMs: performance.now() - this.startedAt }]);
    return () => this.end(stage);
  }

  end(stage: BootStage): void {
    this.#update(stage, { endMs: performance.now() - this.startedAt });
  }

  /** The stage did not take place after all. */
  drop(stage: BootStage): void {
    this.#change(this.#stages.filter(timing => timing.stage !== stage));
  }

  progress(stage: BootStage, loaded: number, total: number): void {
    this.#update(stage, { loaded, total });
  }

  #update(stage: BootStage, change: Partial<BootStageTiming>): void {
    this.#change(this.#stages.map(timing => (timing.stage === stage ? { ...timing, ...change } : timing)));
  }

  #change(stages: readonly BootStageTiming[]): void {
    this.#stages = stages;
    this.#onChange(stages);
  }
}
