/**
 * The service worker: answers for the page's files, from the cache, with the headers that the page needs. The build makes
 * sw.js of it, with the list of files in front.
 *
 * A new version is downloaded beside the old one and takes over at once; pages that run go on with the files of their own
 * version, as their URLs have hashes. Only a page that is loaded anew gets the new one.
 */
import { isolationHeaders } from "./policy.ts";
import { type Answer, type Question, type Version, versionName } from "./version.ts";
import { VersionStore } from "./version_store.ts";

declare const self: ServiceWorkerGlobalScope;
/** Put in front by the build. */
declare const DOORBELL: { readonly version: Version; readonly contentSecurityPolicy: string };

const { version, contentSecurityPolicy } = DOORBELL;
const { scope } = self.registration;
/** Of requests that are answered from the network: the store's own work after the answer. */
let pending: Promise<unknown>[] = [];
const store = new VersionStore(
  version,
  scope,
  { ...isolationHeaders, "Content-Security-Policy": contentSecurityPolicy },
  {
    caches: self.caches,
    locks: self.navigator.locks,
    fetch: (url, options) => self.fetch(url, options),
    keepAlive: work => void pending.push(work),
  },
);

self.addEventListener("install", event => event.waitUntil(install()));
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", event => {
  const { request } = event;
  const answer = store.respond({
    url: request.url,
    method: request.method,
    isNavigation: request.mode === "navigate",
    hasRange: request.headers.has("Range"),
  });
  if (!answer) return;
  event.respondWith(answer);
  event.waitUntil(
    answer.then(() => {
      const work = pending;
      pending = [];
      return Promise.all(work);
    }),
  );
});

self.addEventListener("message", event => {
  const [port] = event.ports;
  if (port) event.waitUntil(reply(event.data as Question).then(answer => port.postMessage(answer)));
});

/**
 * At a first visit there is nothing to download first: the page may be waiting for its headers, and asks for the rest when its
 * guest runs. Later there is an old version to go on with until all of the new one is there.
 */
async function install(): Promise<void> {
  if (self.registration.active) await filling(() => store.complete());
  await self.skipWaiting();
}

async function reply(question: Question): Promise<Answer> {
  const { id } = version;
  if (question !== "complete") return { id };
  try {
    await filling(() => store.complete());
    // Not while another version is on its way: the one that comes last tidies up.
    if (!self.registration.installing && !self.registration.waiting) await store.dropUnused();
    return { id };
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : String(error) };
  }
}

/** Holds the version's lock meanwhile, so that no other version's worker deletes the cache. */
function filling(work: () => Promise<void>): Promise<void> {
  return self.navigator.locks.request(versionName(scope, version.id), { mode: "shared" }, work);
}
