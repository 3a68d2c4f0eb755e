/** For hosts that send no isolation headers: the service worker sends them, from the second load of the page on. */
import { activeWorker, ownVersion, registerWorker } from "./own_version.ts";

/** In the tab's session storage while it reloads. */
const RELOADED = "doorbell-reloaded";
const PATIENCE_MS = 20_000;

/**
 * Reloads the page with the isolation headers, if that can help; false if not. Once: a page that comes back without them
 * has a browser in which it does not help.
 */
export async function reloadIsolated(): Promise<boolean> {
  if (ownVersion() === undefined) return false;
  try {
    const tried = sessionStorage.getItem(RELOADED) !== null;
    sessionStorage.removeItem(RELOADED);
    if (tried) return false;
    const registration = await registerWorker();
    if (!registration || !(await activeWorker(registration, PATIENCE_MS))) return false;
    sessionStorage.setItem(RELOADED, "1");
  } catch {
    // A browser that forbids storage has no service workers either.
    return false;
  }
  location.reload();
  return true;
}
