import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterEach, expect, it, vi } from "vitest";
import { type ImageName, ImageStore } from "./images.ts";

const MANIFEST = new URL("http://test.invalid/images/manifest.json?00112233");
const DATA = new Uint8Array(50_000).map((_, i) => i * 7);
const GZIPPED = gzipSync(DATA);
const KERNEL = Uint8Array.of(1, 2, 3, 4);

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

interface Served {
  readonly body: Uint8Array<ArrayBuffer> | string;
  readonly status?: number;
}

/** A server of one image, and of the manifest that names it. */
function serve(options: {
  encoding?: "gzip" | "identity";
  sha256?: string;
  version?: number;
  body?: Uint8Array;
  status?: number;
  embeds?: readonly { image: ImageName; offset: number }[];
}) {
  const { encoding = "identity", version = 1, status = 200 } = options;
  const body = Uint8Array.from(options.body ?? (encoding === "gzip" ? GZIPPED : DATA));
  const sha256 = options.sha256 ?? sha256Of(DATA);
  const entry = {
    path: "rootfs",
    sha256,
    size: DATA.length,
    encoding,
    encodedSize: encoding === "gzip" ? GZIPPED.length : DATA.length,
    encodedSha256: "a".repeat(64),
  };
  const kernel = { ...entry, path: "kernel", sha256: sha256Of(KERNEL), encoding: "identity" };
  const files = {
    rootfs: { ...entry, ...(options.embeds && { embeds: options.embeds }) },
    kernel: { ...kernel, size: KERNEL.length, encodedSize: KERNEL.length },
  };
  const served = new Map<string, Served>([
    ["/images/manifest.json", { body: JSON.stringify({ version, cmdline: "", files }) }],
    ["/images/rootfs", { body, status }],
    ["/images/kernel", { body: KERNEL }],
  ]);
  const requests: string[] = [];
  const queries: string[] = [];
  vi.stubGlobal("fetch", async (url: URL) => {
    requests.push(url.pathname);
    queries.push(url.search);
    const answer = served.get(url.pathname);
    if (!answer) throw new TypeError("Failed to fetch");
    return new Response(answer.body, { status: answer.status ?? 200 });
  });
  return { requests, queries, served };
}

afterEach(() => vi.unstubAllGlobals());

const open = (progress: [number, number][] = []) =>
  ImageStore.open(MANIFEST, (...step) => void progress.push(step));

it.each([
  ["as it is", {}],
  ["packed", { encoding: "gzip" }],
  ["packed, and unpacked by the browser already", { encoding: "gzip", body: DATA }],
] as const)("delivers an image that was sent %s, and reports progress to the end", async (_name, options) => {
  serve(options);
  const progress: [number, number][] = [];
  const image = await (await open(progress)).get("rootfs");
  expect(Buffer.compare(new Uint8Array(image), DATA)).toBe(0);
  const [loaded, total] = progress.at(-1)!;
  expect(loaded).toBe(total);
  for (let i = 1; i < progress.length; i++) expect(progress[i][0]).toBeGreaterThanOrEqual(progress[i - 1][0]);
});

it.each(["identity", "gzip"] as const)("refuses an image whose SHA-256 is wrong (%s)", async encoding => {
  serve({ encoding, sha256: "0".repeat(64) });
  await expect((await open()).get("rootfs")).rejects.toThrow(/rootfs is damaged: its SHA-256 is/);
});

it("puts an image into another that embeds it, and checks the whole", async () => {
  const whole = DATA.slice();
  whole.set(KERNEL, 512);
  const embeds = [{ image: "kernel", offset: 512 }] as const;
  const { requests } = serve({ encoding: "gzip", sha256: sha256Of(whole), embeds });
  const store = await open();
  const [image, kernel] = await Promise.all([store.get("rootfs"), store.get("kernel")]);
  expect(Buffer.compare(new Uint8Array(image), whole)).toBe(0);
  expect(new Uint8Array(kernel)).toEqual(KERNEL);
  expect(requests.filter(path => path === "/images/kernel")).toHaveLength(1);
});

it.each([513, DATA.length - 3])("refuses an image whose part belongs elsewhere (byte %i)", async offset => {
  const whole = DATA.slice();
  whole.set(KERNEL, 512);
  serve({ sha256: sha256Of(whole), embeds: [{ image: "kernel", offset }] });
  await expect((await open()).get("rootfs")).rejects.toThrow(/rootfs is damaged/);
});

it("fetches once, and again after a failure or forget()", async () => {
  const { requests, served } = serve({});
  const good = served.get("/images/rootfs")!;
  served.set("/images/rootfs", { body: "gone", status: 404 });
  const store = await open();
  await expect(store.get("rootfs")).rejects.toThrow("404");
  served.set("/images/rootfs", good);
  const images = await Promise.all([store.get("rootfs"), store.get("rootfs")]);
  expect(images[0]).toBe(images[1]);
  expect(requests).toHaveLength(3);
  store.forget("rootfs");
  await store.get("rootfs");
  expect(requests).toHaveLength(4);
});

it("asks for each image by its hash", async () => {
  const { queries } = serve({});
  await (await open()).get("rootfs");
  expect(queries).toEqual(["?00112233", `?${"a".repeat(16)}`]);
});

it("says what is wrong when the server is gone, or the manifest is of another version", async () => {
  const { served } = serve({ version: 2 });
  await expect(open()).rejects.toThrow("version 2");
  served.clear();
  await expect(open()).rejects.toThrow("manifest.json could not be fetched");
});
