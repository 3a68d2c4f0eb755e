import { createHash } from "node:crypto";
import type { Locator, Page } from "@playwright/test";
import { qcow2 } from "../src/storage/testing/qcow2_writer.ts";
import { booted, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

async function openDisks(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: /^Disks/ }).click();
  return page.getByRole("dialog", { name: "Disks" });
}

/** Makes a disk that is kept in files through the dialog, and puts it into the machine. */
async function makeOpfsDisk(page: Page, name: string, size: string): Promise<void> {
  const dialog = await openDisks(page);
  await dialog.getByLabel("Kept in").selectOption("opfs");
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByRole("textbox", { name: "Size" }).fill(size);
  await dialog.getByRole("button", { name: "Create empty disk" }).click();
  await expect(dialog.getByRole("row", { name: new RegExp(name) })).toContainText("files (OPFS)");
  await dialog.getByRole("button", { name: `Attach ${name}` }).click();
  await expect(dialog.getByRole("status")).toContainText(name);
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.evaluate(() => window.doorbell?.restart());
}

/** Drops a file on the dialog, as the desktop does. */
async function drop(dialog: Locator, name: string, bytes: Uint8Array | number): Promise<void> {
  const transfer = await dialog.page().evaluateHandle(
    ({ name, content, length }) => {
      // Not zeroes, which are read and skipped before anybody could cancel.
      const bytes = new Uint8Array(length).fill(0xa5);
      if (content) bytes.set(Uint8Array.from(atob(content), letter => letter.charCodeAt(0)));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name));
      return transfer;
    },
    typeof bytes === "number"
      ? { name, content: "", length: bytes }
      : { name, content: Buffer.from(bytes).toString("base64"), length: bytes.length },
  );
  // In the page's own world: an event from that of Playwright's scripts ends Firefox's process.
  await dialog.evaluate((element, dataTransfer) => {
    element.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, transfer);
}

test("a disk in files keeps what was flushed when the browser is killed, again and again", async ({
  persistent,
}) => {
  test.setTimeout(240_000);
  let page = await persistent.open();
  await booted(page);
  await makeOpfsDisk(page, "files", "96 MiB");
  await exec(
    page,
    "dd if=/dev/urandom of=/tmp/data bs=1M count=12 2>/dev/null; cp /tmp/data /root/data; sync",
  );
  const { output: sum } = await exec(page, "md5sum < /root/data");
  for (let round = 0; round < 2; round++) {
    await exec(
      page,
      `dd if=/root/data of=/dev/nvme0n3 bs=1M seek=${round * 12} oflag=direct conv=notrunc,fsync 2>/dev/null`,
    );
    // Over what is there, not flushed: old or new in each block, whatever is done of it.
    void page
      .evaluate(seek => {
        void window.doorbell?.exec(
          `dd if=/dev/zero of=/dev/nvme0n3 bs=64k seek=${seek} count=600 oflag=direct conv=notrunc 2>/dev/null`,
        );
      }, 36 * 16)
      .catch(() => {});
    await new Promise(resolve => setTimeout(resolve, 300 + 900 * round));
    await persistent.kill();
    page = await persistent.open();
    await booted(page);
    for (let piece = 0; piece <= round; piece++) {
      const { output } = await exec(
        page,
        `dd if=/dev/nvme0n3 bs=1M skip=${piece * 12} count=12 iflag=direct 2>/dev/null | md5sum`,
      );
      expect(output, `piece ${piece} after kill ${round}`).toBe(sum);
    }
  }
  await expectCleanKernelLog(page);
});

test("images that are dropped on the page become disks, can be cancelled, and are saved into a file", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await booted(page);
  const dialog = await openDisks(page);
  const outcome = dialog.locator(".outcome");
  const image = qcow2({
    version: 3,
    clusterBits: 16,
    byteLength: 20 * 65536,
    clusters: ["plain", "absent", "compressed", "zero", "compressed", "plain"],
  });

  await test.step("a qcow2 image becomes a disk with the content of the image's disk", async () => {
    await drop(dialog, "dropped.qcow2", image.bytes);
    await expect(outcome).toContainText("“dropped” was made of dropped.qcow2");
    await expect(dialog.getByRole("row", { name: /dropped/ })).toContainText("1.3 MiB");
  });

  await test.step("what is no image says so, and leaves nothing behind", async () => {
    await drop(dialog, "broken.qcow2", image.bytes.subarray(0, 200));
    await expect(outcome).toContainText("That did not work");
    await expect(dialog.getByRole("row", { name: /broken/ })).toHaveCount(0);
  });

  await test.step("an import can be cancelled while it runs, and leaves nothing behind", async () => {
    // Again: in the first seconds of its life Chromium cannot read a file in memory that is so large.
    await expect(async () => {
      await drop(dialog, "large.img", 512 * 2 ** 20);
      await dialog.getByRole("button", { name: "Cancel" }).click({ timeout: 3000 });
    }).toPass({ timeout: 60_000 });
    await expect(dialog.getByRole("list", { name: "Under way" }).getByRole("listitem")).toHaveCount(0);
    await expect(dialog.getByRole("row", { name: /large/ })).toHaveCount(0);
  });

  await test.step("an export goes into the file that was chosen", async () => {
    // The picker is the browser's; the file behind it, and the writing, are real.
    await page.evaluate(() => {
      const choose = async () => {
        const root = await navigator.storage.getDirectory();
        return root.getFileHandle("chosen.img", { create: true });
      };
      Object.assign(window, { showSaveFilePicker: choose });
    });
    await dialog.getByRole("button", { name: "Export dropped" }).click();
    await expect(outcome).toContainText("exported as chosen.img");
    const saved = await page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const file = await (await root.getFileHandle("chosen.img")).getFile();
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, "0")).join("");
    });
    expect(saved).toBe(createHash("sha256").update(image.expected).digest("hex"));
  });

  await test.step("Linux sees the image's disk", async () => {
    await dialog.getByRole("button", { name: "Attach dropped" }).click();
    await expect(outcome).toContainText("dropped");
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.evaluate(() => window.doorbell?.restart());
    const { output } = await exec(page, "sha256sum < /dev/nvme0n3");
    expect(output.slice(0, 64)).toBe(createHash("sha256").update(image.expected).digest("hex"));
  });
});
