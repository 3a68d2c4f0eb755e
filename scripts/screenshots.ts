/**
 * `npm run screenshots`: makes docs/screenshots/*.png of the real page, each view in light, dark and at the width of a
 * phone, with a guest that does I/O. They are to be looked at, not compared.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright";
import { chromiumLaunch } from "../e2e/chromium.ts";
import { servePage } from "../src/bench/server.ts";

const folder = join(import.meta.dirname, "../docs/screenshots");
const desktop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };
const looks = [
  { name: "light", viewport: desktop, colorScheme: "light" },
  { name: "dark", viewport: desktop, colorScheme: "dark" },
  { name: "phone", viewport: phone, colorScheme: "light" },
] as const;

const load =
  "fio --name=r --filename=/dev/nvme0n2 --rw=randrw --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --size=64m --runtime=600 --time_based --thread > /tmp/fio.log 2>&1 &";

/** Opens the view, waits until it shows something. */
const views: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  async terminal() {},
  async queues(page) {
    await page.getByRole("button", { name: "Queues", exact: true }).click();
    await page.getByRole("tab", { name: "Queues" }).click();
    await page.waitForTimeout(3000);
  },
  async timing(page) {
    await page.getByRole("tab", { name: "Timing" }).click();
    await page.waitForTimeout(3000);
  },
  async faults(page) {
    await page.getByRole("tab", { name: "Faults" }).click();
    await page.evaluate(() =>
      window.doorbell?.faults.arm({ action: "delay", ms: 40, command: "read", nsid: 2 }),
    );
    await page.waitForTimeout(2000);
  },
  async disks(page) {
    await page.evaluate(() => window.doorbell?.faults.clear());
    await page.getByRole("button", { name: "Close the panel" }).click();
    await page.getByRole("button", { name: /^Disks/ }).click();
    await page.getByRole("table").waitFor();
  },
};

const page = await servePage();
const profile = mkdtempSync(join(tmpdir(), "doorbell-screenshots-"));
mkdirSync(folder, { recursive: true });
const context = await chromium.launchPersistentContext(profile, { ...chromiumLaunch, viewport: desktop });
try {
  const tab = context.pages()[0] ?? (await context.newPage());
  await tab.goto(page.address);
  await tab.waitForFunction(() => window.doorbell !== undefined);
  await tab.evaluate(async () => {
    await window.doorbell?.ready;
    await window.doorbell?.catalogue.create({
      name: "photos",
      capacityBytes: 2 ** 30,
      lbaBytes: 4096,
      kind: "opfs",
    });
    await window.doorbell?.catalogue.attach("photos");
    await window.doorbell?.restart();
  });
  await tab.locator(".xterm-helper-textarea").pressSequentially("nvme list\n");
  await tab.evaluate(command => window.doorbell?.exec(command), load);
  for (const [view, show] of Object.entries(views)) {
    await tab.setViewportSize(desktop);
    await show(tab);
    for (const { name, viewport, colorScheme } of looks) {
      await tab.setViewportSize(viewport);
      await tab.emulateMedia({ colorScheme });
      await tab.waitForTimeout(1000);
      await tab.screenshot({ path: join(folder, `${view}-${name}.png`) });
      console.log(`docs/screenshots/${view}-${name}.png`);
    }
  }
} finally {
  await context.close();
  await page.close();
  rmSync(profile, { recursive: true, force: true });
}
