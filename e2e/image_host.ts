/** A web server for images on another origin than the page's, as static hosts are: with CORS and byte ranges, or without. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Hosting {
  /** Default: true. */
  readonly cors?: boolean;
  /** Default: true. */
  readonly ranges?: boolean;
}

export class ImageHost {
  /** Bytes that were sent, by path. */
  readonly sent = new Map<string, number>();
  readonly #files = new Map<string, { readonly bytes: Uint8Array; readonly hosting: Hosting }>();
  readonly #server = createServer((request, response) => {
    const path = request.url ?? "";
    const file = this.#files.get(path);
    const { cors = true, ranges = true } = file?.hosting ?? {};
    if (cors) {
      response.setHeader("Access-Control-Allow-Origin", "*");
      response.setHeader("Access-Control-Expose-Headers", "Content-Range, ETag");
    }
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    if (!file) return void response.writeHead(404).end();
    response.setHeader("ETag", '"one"');
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const size = file.bytes.length;
    const [start, end] =
      match && ranges ? [Number(match[1]), Math.min(Number(match[2]), size - 1)] : [0, size - 1];
    this.sent.set(path, (this.sent.get(path) ?? 0) + end + 1 - start);
    if (match && ranges) response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`);
    response.writeHead(match && ranges ? 206 : 200).end(file.bytes.subarray(start, end + 1));
  });

  async start(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  /** Puts a file there; returns its address. */
  put(path: string, bytes: Uint8Array, hosting: Hosting = {}): string {
    this.#files.set(path, { bytes, hosting });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }
}
