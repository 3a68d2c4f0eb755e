import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { hashInUrl, type Version, versionName } from "./version.ts";
import { type Asked, VersionStore } from "./version_store.ts";

const SCOPE = "https://host.invalid/sub/path/";
const HEADERS = { "Cross-Origin-Embedder-Policy": "require-corp" };
const hash = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

/** As much of Cache Storage as there is to it: entries by URL, in caches in their order. */
class FakeCache {
  readonly entries = new Map<string, { bytes: Uint8Array<ArrayBuffer>; headers: [string, string][] }>();
  async match(url: string, options?: { ignoreSearch?: boolean }) {
    const strip = (text: string) => (options?.ignoreSearch ? text.split("?")[0] : text);
    const key = [...this.entries.keys()].find(candidate => strip(candidate) === strip(url));
    const entry = key === undefined ? undefined : this.entries.get(key);
    return entry && new Response(entry.bytes, { headers: entry.headers });
  }
  async put(url: string, response: Response) {
    this.entries.set(url, {
      bytes: new Uint8Array(await response.arrayBuffer()),
      headers: [...response.headers],
    });
  }
  async delete(url: string) {
    return this.entries.delete(url);
  }
  async keys() {
    return [...this.entries.keys()].map(url => ({ url }));
  }
}

let caches: Map<string, FakeCache>;
/** What the server has, by path; empty is a server that is gone. */
let served: Map<string, string | Buffer>;
let asked: string[];
let held: Set<string>;
let work: Promise<unknown>[];

beforeEach(() => {
  caches = new Map();
  served = new Map();
  asked = [];
  held = new Set();
  work = [];
});

function makeVersion(files: Record<string, string | Buffer>): Version {
  const list = Object.entries(files).map(([path, bytes]) => ({ path, sha256: hash(bytes) }));
  return { id: hash(JSON.stringify(list)).slice(0, 16), files: list };
}

function makeStore(version: Version): VersionStore {
  const storage = {
    open: async (name: string) => {
      const cache = caches.get(name) ?? new FakeCache();
      caches.set(name, cache);
      return cache;
    },
    keys: async () => [...caches.keys()],
    delete: async (name: string) => caches.delete(name),
    match: async (url: string, options?: { ignoreSearch?: boolean }) => {
      for (const cache of caches.values()) {
        const found = await cache.match(url, options);
        if (found) return found;
      }
      return undefined;
    },
  };
  const locks = {
    request: (name: string, _options: unknown, use: (lock: object | null) => Promise<void>) =>
      use(held.has(name) ? null : { name }),
  };
  return new VersionStore(version, SCOPE, HEADERS, {
    caches: storage as unknown as CacheStorage,
    locks: locks as unknown as LockManager,
    async fetch(url) {
      asked.push(url);
      if (served.size === 0) throw new TypeError("Failed to fetch");
      const body = served.get(new URL(url).pathname.slice("/sub/path/".length) || "index.html");
      return body === undefined
        ? new Response("", { status: 404 })
        : new Response(new Uint8Array(Buffer.from(body)));
    },
    keepAlive: promise => void work.push(promise),
  });
}

const serve = (files: Record<string, string | Buffer>) => {
  served = new Map(Object.entries(files));
};
const get = (path: string, more: Partial<Asked> = {}): Asked => ({
  url: SCOPE + path,
  method: "GET",
  isNavigation: false,
  hasRange: false,
  ...more,
});
const textOf = async (response: Promise<Response> | undefined) => (await response)?.text();
const cacheOf = (version: Version) => caches.get(versionName(SCOPE, version.id))!;

const FIRST = { "index.html": "<first>", "assets/page-1.js": "first()", "images/kernel": "kernel 1" };
const SECOND = { "index.html": "<second>", "assets/page-2.js": "second()", "images/kernel": "kernel 2" };
const first = makeVersion(FIRST);
const second = makeVersion(SECOND);
const kernelOf = (files: typeof FIRST | typeof SECOND) =>
  `images/kernel?${hashInUrl(hash(files["images/kernel"]))}`;

describe("what it answers", () => {
  test("each file, from the network first and then without it, with type and headers", async () => {
    const store = makeStore(first);
    serve(FIRST);
    for (const path of ["", "index.html?serving=mmio", "assets/page-1.js", kernelOf(FIRST)]) {
      await textOf(store.respond(get(path)));
      await Promise.all(work);
    }
    serve({});
    asked = [];
    const page = await store.respond(get("?trace", { isNavigation: true }));
    expect(await page?.text()).toBe("<first>");
    expect(page?.headers.get("Content-Type")).toContain("text/html");
    expect(page?.headers.get("Cross-Origin-Embedder-Policy")).toBe("require-corp");
    const script = await store.respond(get("assets/page-1.js"));
    expect(await script?.text()).toBe("first()");
    expect(script?.headers.get("Content-Type")).toContain("text/javascript");
    expect(await textOf(store.respond(get(kernelOf(FIRST))))).toBe("kernel 1");
    expect(asked).toEqual([]);
  });

  test.each([
    ["another origin", { url: "https://elsewhere.invalid/sub/path/index.html" }],
    ["another folder", { url: "https://host.invalid/other/index.html" }],
    ["another page in the folder", { url: `${SCOPE}docs/`, isNavigation: true }],
    ["a file that is not the page's", { url: `${SCOPE}disk.img` }],
    ["a part of a file", { url: `${SCOPE}images/kernel`, hasRange: true }],
    ["anything but GET", { url: SCOPE, method: "POST" }],
  ])("nothing for %s", (_what, request) => {
    expect(makeStore(first).respond(get("", request))).toBeUndefined();
  });

  test("a text that is opened as a page, as what it is", async () => {
    const store = makeStore(makeVersion({ "licences.txt": "MIT" }));
    serve({ "licences.txt": "MIT" });
    const answer = await store.respond(get("licences.txt", { isNavigation: true }));
    expect(answer?.headers.get("Content-Type")).toContain("text/plain");
  });

  test("a server that fails is passed on, and nothing of it is kept", async () => {
    const store = makeStore(first);
    serve({ "index.html": "<first>" });
    const answer = await store.respond(get("assets/page-1.js"));
    expect(answer?.status).toBe(404);
    await Promise.all(work);
    expect(cacheOf(first).entries.size).toBe(0);
  });

  test("what the server has of another version is passed on, and not kept", async () => {
    const store = makeStore(first);
    serve(SECOND);
    expect(await textOf(store.respond(get("")))).toBe("<second>");
    await Promise.all(work);
    expect(cacheOf(first).entries.size).toBe(0);
  });

  test("a damaged entry is fetched anew, and named where it cannot be", async () => {
    const store = makeStore(first);
    serve(FIRST);
    await store.complete();
    for (const { bytes } of cacheOf(first).entries.values()) bytes[0] ^= 1;
    asked = [];
    expect(await textOf(store.respond(get(kernelOf(FIRST))))).toBe("kernel 1");
    await Promise.all(work);
    expect(asked).toHaveLength(1);
    serve({});
    expect(await textOf(store.respond(get(kernelOf(FIRST))))).toBe("kernel 1");
    const failed = await store.respond(get("assets/page-1.js"));
    expect(failed?.status).toBe(503);
    expect(failed?.statusText).toContain("its saved copy is damaged");
  });
});

describe("a new version", () => {
  test("is fetched beside the old one, and what has not changed is not fetched again", async () => {
    const both = makeVersion({ ...SECOND, "assets/page-1.js": "first()" });
    serve(FIRST);
    await makeStore(first).complete();
    serve({ ...SECOND, "assets/page-1.js": "first()" });
    asked = [];
    await makeStore(both).complete();
    expect(asked.filter(url => url.includes("page-1"))).toEqual([]);
    expect(cacheOf(both).entries.size).toBe(4);
    expect(cacheOf(first).entries.size).toBe(3);
  });

  test("answers a page of the old one with the old one's files", async () => {
    serve(FIRST);
    await makeStore(first).complete();
    serve(SECOND);
    const store = makeStore(second);
    await store.complete();
    asked = [];
    expect(await textOf(store.respond(get("assets/page-1.js")))).toBe("first()");
    expect(await textOf(store.respond(get(kernelOf(FIRST))))).toBe("kernel 1");
    expect(await textOf(store.respond(get(kernelOf(SECOND))))).toBe("kernel 2");
    expect(await textOf(store.respond(get("", { isNavigation: true })))).toBe("<second>");
    expect(asked).toEqual([]);
  });

  test("has the old one's cache deleted when no page holds it, and no other site's", async () => {
    serve(FIRST);
    await makeStore(first).complete();
    serve(SECOND);
    const store = makeStore(second);
    await store.complete();
    const elsewhere = versionName("https://host.invalid/sub/", first.id);
    caches.set(elsewhere, new FakeCache());
    caches.set("not ours", new FakeCache());
    const old = versionName(SCOPE, first.id);
    held.add(old);
    await store.dropUnused();
    expect([...caches.keys()]).toContain(old);
    held.delete(old);
    await store.dropUnused();
    expect([...caches.keys()].sort()).toEqual([versionName(SCOPE, second.id), elsewhere, "not ours"].sort());
  });
});

describe("complete()", () => {
  test("says which file is not what the version has", async () => {
    serve({ ...FIRST, "images/kernel": "kernel 2" });
    await expect(makeStore(first).complete()).rejects.toThrow("images/kernel is not what this version");
  });

  test("takes up where it was interrupted", async () => {
    const store = makeStore(first);
    serve({});
    await expect(store.complete()).rejects.toThrow("Failed to fetch");
    serve(FIRST);
    await store.complete();
    asked = [];
    await store.complete();
    expect(asked).toEqual([]);
  });

  test("takes a packed file that the browser has unpacked", async () => {
    const packed = gzipSync("data");
    const version = {
      id: "00",
      files: [{ path: "images/rootfs.gz", sha256: hash(packed), unpackedSha256: hash("data") }],
    };
    serve({ "images/rootfs.gz": "data" });
    await makeStore(version).complete();
    serve({});
    const store = makeStore(version);
    expect(await textOf(store.respond(get("images/rootfs.gz")))).toBe("data");
  });
});
