/**
 * `npm run screenshots`: makes docs/screenshots/*.png of the real page, each view in light, dark and at the width of a
 * phone, with a guest that does I/O; `-- NAME…` makes those of some views. They are to be looked at, not compared.
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

async function openTab(page: Page, name: string): Promise<void> {
  const panel = page.getByRole("button", { name: "Views", exact: true });
  if ((await panel.getAttribute("aria-pressed")) !== "true") await panel.click();
  await page.getByRole("tab", { name }).click();
}

/** Opens the view, waits until it shows something. */
const views: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  async terminal() {},
  async queues(page) {
    await openTab(page, "Queues");
    await page.waitForTimeout(3000);
  },
  async timing(page) {
    await openTab(page, "Timing");
    // The charts show half a minute.
    await page.waitForTimeout(12_000);
  },
  async faults(page) {
    await openTab(page, "Faults");
    await page.evaluate(() =>
      window.doorbell?.faults.arm({ action: "delay", ms: 40, command: "read", nsid: 2 }),
    );
    await page.waitForTimeout(2000);
  },
  async benchmark(page) {
    await page.evaluate(() => window.doorbell?.faults.clear());
    await openTab(page, "Benchmark");
    await page.getByText("Fresh guests, one after").click();
    for (const name of ["nvme iothread+poll dbbuf msix", "virtio-blk iothread+poll none msix"]) {
      await page.getByLabel(name, { exact: true }).check();
    }
    // The load runs in this guest.
    await page.getByLabel(/^this guest/).uncheck();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.locator(".rates").nth(1).locator(".count").nth(1).waitFor({ timeout: 240_000 });
    await page.getByText("Fresh guests, one after").click();
  },
  async settings(page) {
    await openTab(page, "Settings");
    await page.getByLabel("Serving mode").selectOption("mainloop");
  },
  async lessons(page) {
    await page.evaluate(() => window.doorbell?.exec("killall fio; sleep 1"));
    await openTab(page, "Lessons");
    const view = page.getByRole("region", { name: "Lessons" });
    await view.getByRole("button", { name: /What a doorbell is/ }).click();
    for (const go of [".primary", "text=Next", ".primary"]) await view.locator(go).click();
    await page.waitForTimeout(1000);
  },
  async disks(page) {
    const close = page.getByRole("button", { name: "Close the panel" });
    if (await close.isVisible()) await close.click();
    // A lesson had ended it.
    await page.evaluate(command => window.doorbell?.exec(`pidof fio || ${command}`), load);
    await page.getByRole("button", { name: /^Disks/ }).click();
    await page.getByRole("table").waitFor();
  },
  /** Without a machine: the last one, as the page is another then. */
  async trace(page) {
    await page.keyboard.press("Escape");
    await openTab(page, "Timing");
    await page.waitForTimeout(2000);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Perfetto JSON" }).click(),
    ]);
    const file = join(profile, "doorbell-trace.json");
    await download.saveAs(file);
    await page.goto(`${server.address}?trace`);
    await page.getByLabel("Trace file").setInputFiles(file);
    await page.getByRole("tab", { name: "Timing" }).waitFor();
  },
};

const wanted = process.argv.slice(2);
const server = await servePage();
const profile = mkdtempSync(join(tmpdir(), "doorbell-screenshots-"));
mkdirSync(folder, { recursive: true });
const context = await chromium.launchPersistentContext(profile, {
  ...chromiumLaunch,
  viewport: desktop,
  serviceWorkers: "block",
});
try {
  const tab = context.pages()[0] ?? (await context.newPage());
  await tab.goto(server.address);
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
    if (wanted.length > 0 && !wanted.includes(view)) continue;
    await tab.setViewportSize(desktop);
    await tab.emulateMedia({ colorScheme: "light" });
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
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}
