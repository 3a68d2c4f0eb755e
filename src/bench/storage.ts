/** `npm run bench -- storage`: the storage stack against bare loops over the same storage, in headless Chromium. */
import { loadavg } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { createServer } from "vite";
import type { Pair, RatioRequest, RatioRun } from "../storage/measure/measure_ratios.ts";
import { Browser } from "./browser_guest.ts";
import { storageLines } from "./storage_report.ts";

/** Runs of each storage, in turn; the first of each only warms up. */
const RUNS = 6;
const QUICK_RUNS = 3;
const MEBIBYTES = 256;
const QUICK_MEBIBYTES = 64;
const STORAGES = ["IndexedDB", "OPFS"] as const;

export async function benchStorage(quick: boolean): Promise<void> {
  const server = await createServer({
    root: join(import.meta.dirname, "../.."),
    logLevel: "error",
    server: { host: "localhost", port: 0 },
  });
  await server.listen();
  const browser = new Browser();
  try {
    const page = await browser.page();
    await page.goto(`${server.resolvedUrls?.local[0]}src/storage/measure/measure_ratios.ts`); // any document will do
    const mebibytes = quick ? QUICK_MEBIBYTES : MEBIBYTES;
    const runs = { IndexedDB: [] as RatioRun[], OPFS: [] as RatioRun[] };
    const total = quick ? QUICK_RUNS : RUNS;
    for (let run = 0; run < total; run++) {
      for (const storage of STORAGES) {
        const result = await measureOnce(page, { storage, mebibytes, bareFirst: run % 2 === 1 });
        const load = loadavg()[0].toFixed(2);
        console.log(`  run ${run}/${total - 1}  load ${load}  ${storage.padEnd(9)}  ${shortly(result)}`);
        if (run > 0) runs[storage].push(result);
      }
    }
    for (const line of storageLines(runs, mebibytes)) console.log(line);
  } finally {
    await browser.dispose();
    await server.close();
  }
}

function measureOnce(page: Page, request: RatioRequest): Promise<RatioRun> {
  return page.evaluate(
    request =>
      new Promise<RatioRun>((resolve, reject) => {
        const worker = new Worker("/src/storage/measure/measure_ratios.ts", { type: "module" });
        worker.onmessage = ({ data }) => {
          worker.terminate();
          resolve(data);
        };
        worker.onerror = event => reject(new Error(event.message));
        worker.postMessage(request);
      }),
    request,
  );
}

function shortly({ write, coldRead, randomRead, warmRead }: RatioRun): string {
  const ratio = ({ stack, bare }: Pair) => (stack / bare).toFixed(2);
  return `write ${ratio(write)}  cold read ${ratio(coldRead)}  random ${ratio(randomRead)}  warm ${ratio(warmRead)}`;
}
