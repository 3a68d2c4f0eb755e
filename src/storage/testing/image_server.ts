/** A small static host for tests: one image and its manifest, with the faults that hosts have. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export class ImageServer {
  image: Uint8Array<ArrayBuffer>;
  manifest: string | undefined;
  etag: string | undefined = '"one"';
  lastModified: string | undefined = "Tue, 01 Jul 2025 00:00:00 GMT";
  /** Called before each answer; true if it has answered itself. */
  before: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** The Range header of each request for the image. */
  readonly ranges: (string | undefined)[] = [];
  readonly #server = createServer((request, response) => this.#answer(request, response));

  constructor(image: Uint8Array<ArrayBuffer>) {
    this.image = image;
  }

  async start(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody can connect any more, until it is started again at the same address. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/disk.img`;
  }

  get manifestUrl(): string {
    return `${this.url}.manifest.json`;
  }

  #port = 0;

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url !== "/disk.img") {
      response.writeHead(this.manifest === undefined ? 404 : 200).end(this.manifest);
      return;
    }
    this.ranges.push(request.headers.range);
    if (this.before?.(request, response)) return;
    if (this.etag !== undefined) response.setHeader("ETag", this.etag);
    if (this.lastModified !== undefined) response.setHeader("Last-Modified", this.lastModified);
    const condition = request.headers["if-range"];
    const holds = condition === undefined || condition === this.etag || condition === this.lastModified;
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (!match || !holds) {
      response.writeHead(200).end(this.image);
      return;
    }
    const [start, end] = [Number(match[1]), Math.min(Number(match[2]), this.image.length - 1)];
    if (start > end) {
      response.writeHead(416).end();
      return;
    }
    response.setHeader("Content-Range", `bytes ${start}-${end}/${this.image.length}`);
    response.writeHead(206).end(this.image.subarray(start, end + 1));
  }
}
