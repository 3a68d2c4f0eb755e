import type { Page } from "@playwright/test";
import { bootSector } from "../src/machine/testing/boot_sector.ts";
import { bootableCd } from "../src/machine/testing/bootable_cd.ts";
import { expect, fillNumber, test } from "./browser.ts";
import { ImageHost } from "./image_host.ts";

const MIB = 1 << 20;

/** Nothing while the page changes. */
const screenText = (page: Page) =>
  page.evaluate(() => document.querySelector<HTMLElement>(".screen-text")?.innerText ?? "").catch(() => "");

/** Waits for the text on the machine's screen. */
async function expectScreen(page: Page, text: RegExp): Promise<void> {
  await expect.poll(() => screenText(page), { timeout: 60_000 }).toMatch(text);
}

/** The size of the picture, and how many colours are in it. */
const picture = (page: Page) =>
  page.locator(".picture canvas").evaluate((canvas: HTMLCanvasElement) => {
    const { width, height } = canvas;
    const data = canvas.getContext("2d")?.getImageData(0, 0, width, height).data;
    return { width, height, colours: new Set(data && new Uint32Array(data.buffer)).size };
  });

/** Drops a disk image on the page, as from a file manager: `first` and then zeroes. */
async function dropDisk(page: Page, name: string, first: Uint8Array, size: number): Promise<void> {
  await page.evaluate(
    ({ name, first, size }) => {
      const bytes = new Uint8Array(size);
      bytes.set(first);
      const data = new DataTransfer();
      data.items.add(new File([bytes], name));
      for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(
          new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }),
        );
      }
    },
    { name, first: [...first], size },
  );
}

/** A disk that boots, without a partition table, and with nothing behind its boot sector. */
function bootDisk(greeting: string, size: number): Uint8Array<ArrayBuffer> {
  const disk = new Uint8Array(size);
  disk.set(bootSector(greeting));
  return disk;
}

test("a dropped disk becomes a machine with an IDE disk; what it flushes is there after a reload", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await page.waitForFunction(() => window.doorbell?.state === "running");
  await dropDisk(page, "old system.img", bootSector("Hello from IDE"), 4 * MIB);
  const dialog = page.getByRole("dialog", { name: "Machines" });
  await expect(dialog.getByLabel("Name")).toHaveValue("old system");
  await dialog.getByLabel("Disks hang on").selectOption("ide");
  await fillNumber(dialog.getByLabel("Memory (MiB)"), 32);
  await dialog.getByRole("button", { name: "Keep and start" }).click();

  await expectScreen(page, /Hello from IDE\n>/);
  // It has its own disk, and none of the built-in machine's.
  const disks = await page.evaluate(async () =>
    (await window.doorbell?.disks())?.map(({ name, path }) => [name, path]),
  );
  expect(disks).toEqual([["old system", "/dev/sda"]]);
  await page.keyboard.type("ab");
  await page.keyboard.press("Shift+KeyC");
  await expectScreen(page, /> abC/);
  // The second sector, full of the letter k; then flushed.
  await page.keyboard.type("wkrf");
  await expectScreen(page, /> abC=k=kF0/);

  await persistent.kill();
  const again = await persistent.open("/");
  await again.waitForFunction(() => window.doorbell?.state === "running");
  await again.getByRole("button", { name: "Machines…" }).click();
  const list = again.getByRole("dialog", { name: "Machines" });
  await expect(list.getByRole("listitem")).toHaveText([
    /Doorbell Linux · running here/,
    /old system.*32 MiB.*IDE disk/,
  ]);
  await list.getByRole("button", { name: "Start old system" }).click();
  await expectScreen(again, /Hello from IDE\n>/);
  await again.keyboard.type("r");
  await expectScreen(again, /> =k/);

  // Graphics: 256 colours in mode 13h, then text again.
  await again.keyboard.press("g");
  await expect.poll(async () => (await picture(again)).colours).toBeGreaterThan(200);
  expect(await picture(again)).toMatchObject({ width: 320, height: 200 });
  await again.keyboard.press("t");
  await again.keyboard.type("xyz");
  await expectScreen(again, /xyz/);

  // Deleting asks first; the built-in machine is back, and the disk is still in the list of disks.
  await again.getByRole("button", { name: "Machines…" }).click();
  await again.getByRole("button", { name: "Delete old system" }).click();
  const question = again.getByRole("dialog", { name: "Delete “old system”?" });
  await expect(question.getByRole("button", { name: "Cancel" })).toBeFocused();
  await question.getByRole("button", { name: "Delete" }).click();
  await again.waitForFunction(
    () => window.doorbell?.settings.own === undefined && window.doorbell?.state === "running",
  );
  const kept = await again.evaluate(async () =>
    (await window.doorbell?.catalogue.list())?.map(({ name }) => name),
  );
  expect(kept).toEqual(["system", "scratch", "old system"]);
});

test("a link boots images of another site, read by ranges, after asking; bad ones are refused in words", async ({
  persistent,
}) => {
  const host = new ImageHost();
  await host.start();
  try {
    const cd = host.put("/cd.iso", bootableCd(bootSector("Hello from a CD"), 32 * MIB));
    const disk = host.put("/disk.img", bootDisk("Hello from NVMe", 32 * MIB));
    const page = await persistent.open(`/?cdrom=${cd}&disk=${disk}&bus=nvme&memory=32`);
    await expect(page.locator(".obstacle")).toContainText(new URL(cd).origin);
    expect([...host.sent]).toEqual([]);
    await page.getByRole("button", { name: "Start the machine" }).click();
    await expectScreen(page, /Hello from a CD\n>/);
    // The firmware's first hard disk is the image on NVMe; what is written to it stays here.
    await page.keyboard.type("wzr");
    await expectScreen(page, /> =z=z/);
    expect(host.sent.get("/cd.iso")).toBeLessThan(4 * MIB);
    expect(host.sent.get("/disk.img")).toBeLessThan(4 * MIB);
    expect(
      await page.evaluate(() => indexedDB.databases().then(list => list.map(({ name }) => name))),
    ).not.toContain(expect.stringContaining("disk.img"));

    const refusals: readonly (readonly [string, RegExp])[] = [
      [host.put("/plain.iso", bootableCd(bootSector("")), { ranges: false }), /ignores Range/],
      [host.put("/private.iso", bootableCd(bootSector("")), { cors: false }), /CORS/],
      [host.put("/none.iso", new Uint8Array(0)).replace("none", "missing"), /answered 404/],
    ];
    for (const [url, sentence] of refusals) {
      await page.goto(`/?cdrom=${url}`);
      await page.getByRole("button", { name: "Start the machine" }).click();
      await expect(page.locator("#notices")).toContainText(sentence, { timeout: 30_000 });
    }
    // A kernel and an initrd of this very site: nothing to ask. Its console is the serial one, a tab away.
    await page.goto(
      "/?bzimage=images/bzImage&initrd=images/initramfs.cpio.gz&cmdline=console%3DttyS0&memory=128",
    );
    await page.getByRole("tab", { name: "Serial console" }).click();
    await expect
      .poll(() => page.evaluate(() => window.doorbell?.terminalText()), { timeout: 60_000 })
      .toContain("Linux version");
    await page.goto("/?cdrom=ftp://example.org/a.iso&bus=scsi");
    await expect(page.locator(".obstacle")).toContainText("http or https");
    await expect(page.locator(".obstacle")).toContainText("nvme, virtio, ide");
  } finally {
    await host.stop();
  }
});
