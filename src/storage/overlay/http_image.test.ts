import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CHUNK_BYTES, filled } from "../testing/conformance.ts";
import { ImageServer } from "../testing/image_server.ts";
import { HttpImage, type HttpImageOptions } from "./http_image.ts";
import { makeManifest } from "./image_manifest.ts";

/** Chunks 1, 0 (a hole), 3 and 1000 bytes of 4. */
const image = new Uint8Array(3 * CHUNK_BYTES + 1000);
image.fill(1, 0, CHUNK_BYTES);
image.fill(3, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES);
image.fill(4, 3 * CHUNK_BYTES);
const tail = new Uint8Array(CHUNK_BYTES).fill(4, 0, 1000);

let server: ImageServer;
let waits: number[];

beforeEach(async () => {
  server = new ImageServer(image.slice());
  waits = [];
  await server.start();
});
afterEach(() => server.stop());

function open(options: HttpImageOptions = {}): Promise<HttpImage> {
  const wait = async (ms: number) => {
    waits.push(ms);
  };
  return HttpImage.open(server.url, { chunkBytes: CHUNK_BYTES, wait, ...options });
}

async function addManifest(): Promise<{ manifestUrl: string }> {
  server.manifest = JSON.stringify(await makeManifest([server.image], CHUNK_BYTES));
  return { manifestUrl: server.manifestUrl };
}

describe("HttpImage", () => {
  it("reads chunks by range, the last one with zeroes behind it", async () => {
    const http = await open();
    expect([http.byteLength, http.chunkBytes, http.isHole(1)]).toEqual([image.length, CHUNK_BYTES, false]);
    expect(await Promise.all([0, 1, 2, 3].map(chunk => http.read(chunk)))).toEqual([
      filled(1),
      filled(0),
      filled(3),
      tail,
    ]);
    expect(server.ranges.sort()).toEqual([
      "bytes=0-0",
      "bytes=0-4095",
      "bytes=12288-13287",
      "bytes=4096-8191",
      "bytes=8192-12287",
    ]);
    for (const chunk of [-1, 4, 0.5]) await expect(http.read(chunk)).rejects.toThrow(RangeError);
    await http.close();
    await expect(http.read(0)).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("with a manifest, checks every chunk and reads no holes", async () => {
    const http = await open(await addManifest());
    expect([0, 1, 2, 3].map(chunk => http.isHole(chunk))).toEqual([false, true, false, false]);
    expect(await http.read(1)).toBeUndefined();
    expect(await http.read(3)).toEqual(tail);
    expect(server.ranges).toEqual(["bytes=0-0", "bytes=12288-13287"]);
    server.image[2 * CHUNK_BYTES + 5] ^= 1;
    await expect(http.read(2)).rejects.toMatchObject({
      kind: "io",
      message: expect.stringContaining("hash"),
    });
    server.image[2 * CHUNK_BYTES + 5] ^= 1;
    expect(await http.read(2)).toEqual(filled(3));
  });

  it("refuses a server that ignores ranges, or does not tell the length", async () => {
    server.before = (_, response) => {
      response.writeHead(200).end(server.image);
      return true;
    };
    await expect(open()).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("ignores Range"),
    });
    server.before = (_, response) => {
      response.writeHead(206).end("x");
      return true;
    };
    await expect(open()).rejects.toThrow("Access-Control-Expose-Headers");
    server.before = (_, response) => {
      response.writeHead(206, { "Content-Range": "bytes 0-0/*" }).end("x");
      return true;
    };
    await expect(open()).rejects.toThrow("bytes 0-0/*");
    server.before = (_, response) => {
      response.writeHead(404).end();
      return true;
    };
    await expect(open()).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("404"),
    });
    expect(waits).toEqual([]);
  });

  it("refuses an image that cannot be told from a changed one, unless it has a manifest", async () => {
    server.etag = undefined;
    server.lastModified = undefined;
    await expect(open()).rejects.toThrow("neither ETag nor Last-Modified");
    expect(await (await open(await addManifest())).read(0)).toEqual(filled(1));
  });

  for (const [what, change] of [
    ["another ETag", { etag: '"two"' }],
    ["another ETag, weak", { etag: 'W/"two"' }],
    ["no ETag", { etag: undefined }],
    ["more bytes", { image: new Uint8Array(4 * CHUNK_BYTES) }],
    ["fewer bytes", { image: new Uint8Array(CHUNK_BYTES) }],
  ] as const) {
    it(`notices an image that was changed meanwhile: ${what}`, async () => {
      const http = await open();
      Object.assign(server, change);
      const refused = { kind: "unavailable", message: expect.stringContaining("has changed") };
      await expect(http.read(2)).rejects.toMatchObject(refused);
      await expect(open({ known: http.identity })).rejects.toMatchObject(refused);
    });
  }

  it("notices a change by the date when there is no ETag, or a weak one", async () => {
    for (const etag of [undefined, 'W/"weak"']) {
      server.etag = etag;
      const http = await open();
      expect(await http.read(2)).toEqual(filled(3));
      if (etag === undefined) server.lastModified = "Wed, 02 Jul 2025 00:00:00 GMT";
      else server.etag = 'W/"other"';
      await expect(http.read(2)).rejects.toThrow("has changed");
    }
  });

  it("takes an image elsewhere for the same one if the manifest is the same", async () => {
    const { identity } = await open(await addManifest());
    server.etag = '"moved"';
    const http = await open({
      manifestUrl: server.manifestUrl,
      known: { ...identity, url: "http://old.test/a" },
    });
    expect(await http.read(0)).toEqual(filled(1));
    await expect(open({ known: identity })).rejects.toThrow("has changed"); // no manifest any more
  });

  it("tries again when the network or the server fails for the moment, with longer and longer waits", async () => {
    const http = await open();
    let failures = 0;
    server.before = (request, response) => {
      failures += 1;
      if (failures === 1) request.socket.destroy();
      else if (failures === 2) response.writeHead(503).end();
      else if (failures === 3) {
        response.writeHead(206, { "Content-Range": `bytes 0-4095/${image.length}`, "Content-Length": 4096 });
        response.write(new Uint8Array(100), () => request.socket.destroy());
      } else return false;
      return true;
    };
    expect(await http.read(0)).toEqual(filled(1));
    expect(waits).toHaveLength(3);
    expect(waits[2]).toBeGreaterThan(waits[0]);
    server.before = request => {
      request.socket.destroy();
      return true;
    };
    await expect(http.read(0)).rejects.toMatchObject({
      kind: "io",
      message: expect.stringContaining("Check the network"),
    });
    expect(waits).toHaveLength(6);
  });

  it("opens a known image without the network, and reads once the server is back", async () => {
    const { identity } = await open(await addManifest());
    await server.stop();
    await expect(open()).rejects.toMatchObject({ kind: "io" });
    const http = await open({ known: identity, manifestUrl: server.manifestUrl });
    expect([http.isConnected, http.byteLength]).toEqual([false, image.length]);
    await expect(http.read(0)).rejects.toMatchObject({ kind: "io" });
    await server.start();
    expect(await Promise.all([http.read(0), http.read(2)])).toEqual([filled(1), filled(3)]);
    expect(http.isConnected).toBe(true);
  });

  it("says what is wrong in a manifest", async () => {
    const { manifestUrl } = await addManifest();
    const good = JSON.parse(server.manifest ?? "");
    for (const [change, message] of [
      [{ version: 2 }, "version 2"],
      [{ byteLength: 5, sha256: good.sha256.slice(0, 1) }, "image of 5 bytes"],
      [{ chunkBytes: 5000 }, "5000"],
      [{ sha256: good.sha256.slice(1) }, "one hash for each"],
      [{ sha256: good.sha256.map(() => "x") }, "SHA-256"],
    ] as const) {
      server.manifest = JSON.stringify({ ...good, ...change });
      await expect(open({ manifestUrl })).rejects.toMatchObject({
        kind: "unavailable",
        message: expect.stringContaining(message),
      });
    }
    server.manifest = "<html>";
    await expect(open({ manifestUrl })).rejects.toThrow("not JSON");
    server.manifest = undefined;
    await expect(open({ manifestUrl })).rejects.toThrow("404");
  });
});
