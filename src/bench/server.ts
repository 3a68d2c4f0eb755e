/** The page, built and served as `npm start` does, but from a folder of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, preview } from "vite";
import { onExit } from "./on_exit.ts";

export interface Server {
  readonly address: string;
  close(): Promise<void>;
}

export async function servePage(): Promise<Server> {
  const outDir = mkdtempSync(join(tmpdir(), "doorbell-bench-page-"));
  const remove = () => rmSync(outDir, { recursive: true, force: true });
  const forget = onExit(remove);
  const options = { logLevel: "error", build: { outDir, emptyOutDir: true } } as const;
  await build(options);
  const server = await preview({ ...options, preview: { host: "localhost", port: 0 } });
  const address = server.resolvedUrls?.local[0];
  if (!address) throw new Error("The preview server has no address.");
  return {
    address,
    async close() {
      await server.close();
      remove();
      forget();
    },
  };
}
