import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A web server on the loopback interface that gives one file out, and says what it was sent. */
export class WebHost {
  /** Request lines and hosts of what it was asked. */
  readonly asked: string[] = [];
  readonly #file: Uint8Array;
  readonly #server = createServer((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    this.asked.push(`${request.method} ${request.url} ${request.headers.host}`);
    if (request.method === "GET") return void response.end(request.url === "/file" ? this.#file : "A page\n");
    const sum = createHash("md5");
    request.on("data", data => sum.update(data));
    request.on("end", () => response.end(`${sum.digest("hex")}\n`));
  });

  constructor(file: Uint8Array) {
    this.#file = file;
  }

  async start(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
