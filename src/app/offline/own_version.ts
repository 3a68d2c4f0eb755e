/** What this page knows of its own version. */
import { SERVICE_WORKER, VERSION_META, versionName } from "../../offline/version.ts";

/** The id that the build gave it; undefined in development, and where there can be no service worker. */
export function ownVersion(): string | undefined {
  // In an insecure context the property is not there at all.
  if (!("serviceWorker" in navigator)) return undefined;
  return document.querySelector<HTMLMetaElement>(`meta[name="${VERSION_META}"]`)?.content;
}

/** Holds this version's files in the browser as long as the page is open. */
export function holdVersion(): void {
  const id = ownVersion();
  if (id === undefined) return;
  const forever = new Promise<never>(() => {});
  navigator.locks?.request(versionName(folder(), id), { mode: "shared" }, () => forever).catch(() => {});
}

/**
 * Registers the service worker of the page's folder, which also makes the browser look for a new one. Undefined where the browser
 * does not have it: storage or service workers are switched off, or the file is not there.
 */
export async function registerWorker(): Promise<ServiceWorkerRegistration | undefined> {
  try {
    return await navigator.serviceWorker.register(new URL(SERVICE_WORKER, folder()));
  } catch {
    return undefined;
  }
}

/** The registration's worker once it is active; undefined if it never will be, or not within `ms` milliseconds. */
export function activeWorker(
  registration: ServiceWorkerRegistration,
  ms: number,
): Promise<ServiceWorker | undefined> {
  const { active, waiting, installing } = registration;
  const coming = waiting ?? installing;
  if (active || !coming) return Promise.resolve(active ?? undefined);
  return new Promise(resolve => {
    const look = () => {
      if (coming.state === "activated") resolve(coming);
      if (coming.state === "redundant") resolve(undefined);
    };
    coming.addEventListener("statechange", look);
    look();
    setTimeout(() => resolve(undefined), ms);
  });
}

/** The URL of the folder that the page is in, with a slash at its end. */
function folder(): string {
  return new URL("./", location.href).href;
}
