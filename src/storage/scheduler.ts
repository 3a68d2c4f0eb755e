/** Clock and timers, injectable so that tests decide when time passes. */
export interface Scheduler {
  /** Milliseconds since some moment. */
  now(): number;
  /** Runs `callback` once, in a task of its own, after at least `ms` milliseconds. Returns how to cancel it. */
  after(ms: number, callback: () => void): () => void;
}

export const systemScheduler: Scheduler = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Settles as `work` does, but rejects with `late()` when that takes more than `ms` milliseconds. */
export function withDeadline<T>(
  work: Promise<T>,
  ms: number,
  scheduler: Scheduler,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = scheduler.after(ms, () => reject(late()));
    work.then(
      value => {
        cancel();
        resolve(value);
      },
      error => {
        cancel();
        reject(error);
      },
    );
  });
}
