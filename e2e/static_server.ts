import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const contentTypes: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
};

/** A folder on the loopback interface, as the plainest of hosts serves it: no headers but the type. */
export class StaticServer {
  /** What it serves; may be changed at any time. */
  folder: string;
  readonly #prefix: string;
  #server: Server | undefined;
  #port = 0;
  /** Paths that were asked for, without the prefix. */
  readonly asked: string[] = [];

  private constructor(folder: string, prefix: string) {
    this.folder = folder;
    this.#prefix = prefix;
  }

  /** `prefix` is the path that the folder is at, with a slash at its end. */
  static async start(folder: string, prefix: string): Promise<StaticServer> {
    const server = new StaticServer(folder, prefix);
    await server.listen();
    return server;
  }

  get url(): string {
    return `http://localhost:${this.#port}${this.#prefix}`;
  }

  /** Again, after stop(), at the same address. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    this.#server = server;
    await new Promise<void>(resolve => server.listen(this.#port, "localhost", resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise(resolve => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (!pathname.startsWith(this.#prefix)) return void response.writeHead(404).end();
    const path = pathname.slice(this.#prefix.length);
    this.asked.push(path);
    try {
      const body = readFileSync(join(this.folder, path || "index.html"));
      const type = contentTypes[extname(path || "index.html")] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }
}
