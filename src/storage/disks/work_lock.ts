/** Tells work that is under way from work that was interrupted: the browser frees a lock when the tab dies. */
import { randomHex } from "./disk_entry.ts";

/** Does some work, under a new lock whose name it is given. */
export function underWorkLock<T>(work: (name: string) => Promise<T>): Promise<T> {
  const name = `doorbell-work-${randomHex(8)}`;
  return navigator.locks.request(name, () => work(name)) as Promise<T>;
}

/** Does `tidy` if nobody is at work under this lock any more. */
export function ifAbandoned(name: string, tidy: () => Promise<void>): Promise<void> {
  return navigator.locks.request(name, { ifAvailable: true }, async lock => {
    if (lock) await tidy();
  }) as Promise<void>;
}
