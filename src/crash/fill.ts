/** The scratch disk filled with data that cannot be compressed, and read back by another browser process. */
import type { Page } from "@playwright/test";
import { PersistentBrowser } from "../../e2e/persistent_browser.ts";
import type { ProcessMemory } from "../../e2e/processes.ts";
import type { Automation } from "../app/automation.ts";
import { bootPage } from "../bench/browser_guest.ts";
import { within } from "../bench/definitions/guest.ts";
import { RAW_DEVICE } from "./raw_disk.ts";

export interface FillResult {
  readonly mib: number;
  /** Milliseconds until all was written and flushed. */
  readonly writeMs: number;
  /** Milliseconds to read and verify all of it, with nothing in memory at the start. */
  readonly readMs: number;
  readonly verified: boolean;
  /** What fio printed in the end. */
  readonly output: string;
  /** Largest first, after each of the two halves. */
  readonly peaks: readonly (ProcessMemory & { readonly when: "writing" | "reading" })[];
}

/** The longest that either half may take. */
const TIMEOUT_MS = 600_000;

export async function fillDisk(address: string, mib: number, seed: number): Promise<FillResult> {
  const browser = new PersistentBrowser(address);
  // fio puts a header with the offset and a CRC-32C of the data into each block, and checks both.
  const fio =
    `fio --name=fill --filename=${RAW_DEVICE} --bs=1m --size=${mib}m --ioengine=libaio --iodepth=4 --direct=1 --thread ` +
    `--randseed=${seed} --verify=crc32c --verify_fatal=1`;
  const start = async () => {
    const page = await browser.open("about:blank");
    await bootPage(page, address);
    return page;
  };
  const peaks = (when: "writing" | "reading") => browser.peakMemory().map(peak => ({ ...peak, when }));
  try {
    const writer = await start();
    const written = await run(writer, `${fio} --rw=write --do_verify=0 --end_fsync=1`);
    if (written.exitCode !== 0) throw new Error(`The disk could not be filled: ${written.output}`);
    const writePeaks = peaks("writing");
    await browser.kill();
    const reader = await start();
    const read = await run(reader, `${fio} --rw=write --verify_only`);
    return {
      mib,
      writeMs: written.ms,
      readMs: read.ms,
      verified: read.exitCode === 0 && new RegExp(`READ:.*io=${mib}(\\.0)?MiB`).test(read.output),
      output: read.output,
      peaks: [...writePeaks, ...peaks("reading")],
    };
  } finally {
    await browser.close();
  }
}

function run(page: Page, command: string) {
  return within(
    page.evaluate(text => (window.doorbell as Automation).exec(text), command),
    command,
    TIMEOUT_MS,
  );
}
