/**
 * Measures the storage stack in Chromium with a profile on disk: `npx tsx src/storage/measure/measure.mjs [chunk KiB …]`.
 * (In Playwright's default context IndexedDB lives in memory and every figure is too good.)
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { createServer } from "vite";
import { chromiumLaunch } from "../../../e2e/chromium.ts";

const root = join(import.meta.dirname, "../../..");
const server = await createServer({ root, logLevel: "error" });
await server.listen(0);
const base = server.resolvedUrls.local[0];
const profile = mkdtempSync(join(tmpdir(), "doorbell-measure-"));
const context = await chromium.launchPersistentContext(profile, { ...chromiumLaunch, headless: true });
try {
  const page = await context.newPage();
  await page.goto(`${base}src/storage/measure/measure.ts`); // any same-origin document will do
  const sizes = process.argv.slice(2);
  for (const kib of sizes.length > 0 ? sizes : [256]) {
    const figures = await page.evaluate(
      chunkBytes =>
        new Promise((resolve, reject) => {
          const worker = new Worker("/src/storage/measure/measure.ts", { type: "module" });
          worker.onmessage = ({ data }) => {
            worker.terminate();
            resolve(data);
          };
          worker.onerror = event => reject(new Error(event.message));
          worker.postMessage(chunkBytes);
        }),
      Number(kib) * 1024,
    );
    console.log(`chunk ${kib} KiB`);
    for (const [name, value] of Object.entries(figures))
      console.log(`  ${name.padEnd(18)} ${value.toFixed(2)}`);
  }
} finally {
  await context.close();
  await server.close();
  rmSync(profile, { recursive: true });
}
