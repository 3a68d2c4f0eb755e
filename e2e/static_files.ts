/** A static file server for tests, without the conveniences of Vite's: folders by prefix, byte ranges, headers if wanted. */
import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

export interface StaticFiles {
  /** The server's address, without a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves each folder under its prefix ("/", "/images/"); the longest prefix counts. Loopback only. */
export async function serveFiles(
  folders: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<StaticFiles> {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    const prefix = prefixes.find(each => path.startsWith(each));
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (prefix === undefined) response.writeHead(404).end();
    else answer(request, response, join(folders[prefix], path.slice(prefix.length)));
  });
  await new Promise<void>(resolve => server.listen(0, "localhost", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  const file = found?.isDirectory() ? join(path, "index.html") : path;
  const stat = found?.isDirectory() ? statSync(file, { throwIfNoEntry: false }) : found;
  if (!stat?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("Content-Type", types[extname(file)] ?? "application/octet-stream");
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("Last-Modified", stat.mtime.toUTCString());
  const range = /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = Math.min(range?.[2] ? Number(range[2]) : stat.size - 1, stat.size - 1);
  if (range && start > end) {
    response.writeHead(416).end();
    return;
  }
  response.setHeader("Content-Length", end - start + 1);
  if (range) response.setHeader("Content-Range", `bytes ${start}-${end}/${stat.size}`);
  response.writeHead(range ? 206 : 200);
  createReadStream(file, { start, end }).pipe(response);
}
