import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { preloadScript } from "../../scripts/build/preloads.ts";
import { BOOTED, LAST_START } from "./memory.ts";

/** What the script in index.html asks for, without the hashes. */
function preloaded(search: string, lastStart: string | null | Error = null): string[] {
  const asked: string[] = [];
  runInNewContext(preloadScript(), {
    URLSearchParams,
    location: { search },
    localStorage: {
      getItem: (key: string) => {
        if (lastStart instanceof Error) throw lastStart;
        return key === LAST_START ? lastStart : null;
      },
    },
    document: {
      head: { append: ({ href }: { href: string }) => asked.push(href) },
      createElement: () => ({}),
    },
  });
  return asked.map(href => href.replace(/^images\/|\?.*$/g, ""));
}

const BOOT = ["manifest.json", "bzImage", "initramfs.cpio.gz"];
const RESUME = ["manifest.json", "machine.snapshot"];

test.each([
  ["", null, RESUME],
  ["?pollMaxUs=0", "shipped", RESUME],
  ["", new Error("storage is forbidden"), RESUME],
  ["", BOOTED, BOOT],
  ["?start=boot", null, BOOT],
  ["?memory=512", "shipped", BOOT],
  ["?serving=mmio", null, BOOT],
  ["?kernel=rescue", null, BOOT],
  ["?boot=disk", null, ["manifest.json"]],
  ["?network=fetch", null, ["manifest.json"]],
  ["?machine=7", null, ["manifest.json"]],
  ["?cdrom=https://example.org/a.iso&serving=mmio", BOOTED, ["manifest.json"]],
  ["?trace", null, []],
])("with %j, after %s, the page asks early for %j", (search, lastStart, files) => {
  expect(preloaded(search, lastStart)).toEqual(files);
});
