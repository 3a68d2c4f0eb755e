/**
 * The files of a version in the browser's Cache Storage, one cache for each version. An entry's key has the hash of its file,
 * so that what a page of an older version asks for is found whichever worker answers it. Every entry is checked against
 * its hash when it is read: a damaged one is dropped and fetched anew.
 */
import { hashInUrl, type Version, type VersionFile, versionName, versionPrefix } from "./version.ts";

/** What of the browser it needs. */
export interface StoreHost {
  readonly caches: CacheStorage;
  readonly locks: LockManager;
  fetch(url: string, options?: RequestInit): Promise<Response>;
  /** Keeps the worker alive until the promise settles. */
  keepAlive(work: Promise<unknown>): void;
}

/** A request of a page, as far as it matters. */
export interface Asked {
  readonly url: string;
  readonly method: string;
  readonly isNavigation: boolean;
  readonly hasRange: boolean;
}

const INDEX = "index.html";
/** Has the hash of an entry's bytes. */
const HASH_HEADER = "Doorbell-SHA256";
const HASH_IN_URL = /^\?[0-9a-f]{16}$/;
/** Fetched at a time: enough to hide the way to the server, and few enough not to be felt by what else loads. */
const PARALLEL = 4;

const contentTypes: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  md: "text/markdown; charset=utf-8",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  webmanifest: "application/manifest+json",
};

export class VersionStore {
  readonly #version: Version;
  readonly #files: ReadonlyMap<string, VersionFile>;
  readonly #scope: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #host: StoreHost;

  /** `scope` is the URL of the page's folder; `headers` come with every answer. */
  constructor(version: Version, scope: string, headers: Readonly<Record<string, string>>, host: StoreHost) {
    this.#version = version;
    this.#files = new Map(version.files.map(file => [file.path, file]));
    this.#scope = scope;
    this.#headers = headers;
    this.#host = host;
  }

  /** The answer to a request; undefined if it is not for a file of the page's, which the browser then asks the network for. */
  respond(asked: Asked): Promise<Response> | undefined {
    if (asked.method !== "GET" || asked.hasRange || !asked.url.startsWith(this.#scope)) return undefined;
    const url = new URL(asked.url);
    const path = url.pathname.slice(new URL(this.#scope).pathname.length) || INDEX;
    const own = this.#files.get(path);
    // What else is opened here is none of ours.
    if (path === INDEX || asked.isNavigation) return own && this.#answer(own);
    const hash = HASH_IN_URL.test(url.search) ? url.search.slice(1) : undefined;
    if (own && (hash === undefined || hashInUrl(own.sha256) === hash)) return this.#answer(own);
    if (hash !== undefined || path.startsWith("assets/")) return this.#answerOther(url, hash !== undefined);
    return undefined;
  }

  /** Makes sure that each file of the version is there, so that the page works without a network. Rejects with the reason. */
  async complete(): Promise<void> {
    const cache = await this.#openCache();
    const kept = new Set((await cache.keys()).map(({ url }) => url));
    const missing = this.#version.files.filter(file => !kept.has(this.#key(file)));
    const next = missing.values();
    const worker = async () => {
      for (const file of next) await this.#add(cache, file);
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  /** Deletes the caches of other versions at this place that no page uses, and no worker is filling. */
  async dropUnused(): Promise<void> {
    const own = versionName(this.#scope, this.#version.id);
    for (const name of await this.#host.caches.keys()) {
      if (name === own || !name.startsWith(versionPrefix(this.#scope))) continue;
      await this.#host.locks.request(name, { ifAvailable: true }, async lock => {
        if (lock) await this.#host.caches.delete(name);
      });
    }
  }

  #openCache(): Promise<Cache> {
    return this.#host.caches.open(versionName(this.#scope, this.#version.id));
  }

  #key({ path, sha256 }: VersionFile): string {
    return `${this.#scope}${path}?${hashInUrl(sha256)}`;
  }

  /** What the network knows the file by. */
  #source(file: VersionFile): string {
    if (file.path === INDEX) return this.#scope;
    return file.path.startsWith("images/") ? this.#key(file) : `${this.#scope}${file.path}`;
  }

  /** From the cache; from the network, into the cache, if it is not there or damaged. */
  async #answer(file: VersionFile): Promise<Response> {
    const cache = await this.#openCache();
    const key = this.#key(file);
    const entry = await cache.match(key);
    const bytes = entry && (await intact(entry));
    if (bytes) return this.#wrap(file.path, bytes);
    if (entry) await cache.delete(key);
    let response: Response;
    try {
      response = await this.#host.fetch(this.#source(file));
    } catch {
      const reason = entry ? "its saved copy is damaged" : "it is not saved yet";
      return new Response(`${file.path}: no network, and ${reason}.\n`, {
        status: 503,
        statusText: `No network, and ${reason}`,
        headers: { "Content-Type": "text/plain; charset=utf-8" },
      });
    }
    if (!response.ok || !response.body) return response;
    // The page gets it as it comes.
    const [toPage, toCache] = response.body.tee();
    this.#host.keepAlive(this.#keep(cache, file, toCache).catch(() => {}));
    return this.#wrap(file.path, toPage);
  }

  /** A file of another version: of a page that was open before this worker came, or of a newer one on the server. */
  async #answerOther(url: URL, isHashed: boolean): Promise<Response> {
    const path = url.pathname;
    const entry = await this.#host.caches.match(url.href, { ignoreSearch: !isHashed });
    const bytes = entry && (await intact(entry));
    if (bytes) return this.#wrap(path, bytes);
    const response = await this.#host.fetch(url.href);
    return response.ok && response.body ? this.#wrap(path, response.body) : response;
  }

  async #keep(cache: Cache, file: VersionFile, body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const bytes = await new Response(body).arrayBuffer();
    // Otherwise the server has another version by now: its worker will come.
    if (await isOf(file, bytes)) await this.#put(cache, file, bytes);
  }

  /** From another version's cache if it has not changed since, or else from the network. */
  async #add(cache: Cache, file: VersionFile): Promise<void> {
    const entry = await this.#host.caches.match(this.#key(file));
    const kept = entry && (await intact(entry));
    if (kept) return await this.#put(cache, file, kept);
    // What the browser's own cache has may be of an older version.
    for (const mode of ["default", "reload"] as const) {
      const response = await this.#host.fetch(this.#source(file), { cache: mode });
      const bytes = await response.arrayBuffer();
      if (response.ok && (await isOf(file, bytes))) return await this.#put(cache, file, bytes);
    }
    throw new Error(`${file.path} is not what this version of the page has: is the server being updated?`);
  }

  async #put(cache: Cache, file: VersionFile, bytes: ArrayBuffer): Promise<void> {
    const headers = { [HASH_HEADER]: await sha256(bytes) };
    await cache.put(this.#key(file), new Response(bytes, { headers }));
  }

  #wrap(path: string, body: ArrayBuffer | ReadableStream<Uint8Array<ArrayBuffer>>): Response {
    const type = contentTypes[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    return new Response(body, { headers: { "Content-Type": type, ...this.#headers } });
  }
}

/** The bytes of an entry; undefined if they are not what was put there. */
async function intact(entry: Response): Promise<ArrayBuffer | undefined> {
  try {
    const bytes = await entry.arrayBuffer();
    return (await sha256(bytes)) === entry.headers.get(HASH_HEADER) ? bytes : undefined;
  } catch {
    return undefined;
  }
}

async function isOf(file: VersionFile, bytes: ArrayBuffer): Promise<boolean> {
  const hash = await sha256(bytes);
  return hash === file.sha256 || hash === file.unpackedSha256;
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
}
