import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { booted, exec, expect, expectCleanKernelLog, run, test } from "./browser.ts";

const MIB = 2 ** 20;

/** A scratch folder on the machine that runs the tests. */
async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "doorbell-disks-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exports a disk through the page, as a download. */
async function exportTo(page: Page, name: string, path: string): Promise<void> {
  const downloading = page.waitForEvent("download");
  await page.evaluate(async name => {
    const image = await window.doorbell?.catalogue.exportImage(name);
    if (!image) throw new Error("no image");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(image);
    link.download = "disk.img";
    link.click();
  }, name);
  await (await downloading).saveAs(path);
}

/** Imports a file of the host through a file input that the page does not have otherwise. */
async function importFrom(page: Page, path: string, name: string, lbaBytes: 512 | 4096): Promise<void> {
  await page.evaluate(() => {
    const input = document.createElement("input");
    input.type = "file";
    input.id = "test-image";
    document.body.append(input);
  });
  await page.setInputFiles("#test-image", path);
  await page.evaluate(
    async ([name, lbaBytes]) => {
      const input = document.querySelector<HTMLInputElement>("#test-image");
      const image = input?.files?.[0];
      if (!image) throw new Error("no file");
      await window.doorbell?.catalogue.importImage(image, { name, lbaBytes });
      await window.doorbell?.catalogue.attach(name);
      input.remove();
    },
    [name, lbaBytes] as const,
  );
}

/** What a mount would do: replays the journal, and mends only what is safe after a power cut (free counts). */
function replayJournal(path: string): void {
  try {
    execFileSync("e2fsck", ["-f", "-p", path], { stdio: "pipe" });
  } catch (error) {
    // 1: the file system was modified, and nothing is left to be repaired.
    expect((error as { status: number }).status, String((error as { stdout: Buffer }).stdout)).toBe(1);
  }
}

/** Only what e2fsck has to say about a file system that needs nothing. */
function expectCleanFileSystem(path: string): void {
  const said = execFileSync("e2fsck", ["-f", "-n", path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  expect(said).toMatch(/files .* blocks/);
  expect(said).not.toMatch(/errors|WARNING|not clean/i);
}

test("a disk of one's own: made, used, exported, checked on the host, and imported again", async ({
  persistent,
}) => {
  await inFolder(async folder => {
    const page = await persistent.open();
    await booted(page);
    await page.evaluate(
      async bytes => {
        await window.doorbell?.catalogue.create({ name: "data", capacityBytes: bytes, lbaBytes: 4096 });
        await window.doorbell?.catalogue.attach("data");
        await window.doorbell?.restart();
      },
      64 * MIB + 4096,
    );
    const size = "blockdev --getss /dev/nvme0n3; blockdev --getsize64 /dev/nvme0n3";
    expect((await exec(page, size)).output.trim().split(/\s+/)).toEqual(["4096", String(64 * MIB + 4096)]);
    await exec(
      page,
      "mke2fs -q -t ext4 /dev/nvme0n3 && mount /dev/nvme0n3 /mnt && dd if=/dev/urandom of=/mnt/random bs=1M count=8 2>/dev/null && echo hello > /mnt/note && sync",
    );
    const { output: sum } = await exec(page, "md5sum < /mnt/random");

    // As of one moment, under a file system that is mounted and written to.
    await page.evaluate(() => {
      void window.doorbell?.exec("dd if=/dev/zero of=/mnt/later bs=1M count=20 2>/dev/null");
    });
    const mounted = join(folder, "mounted.img");
    await exportTo(page, "data", mounted);
    replayJournal(mounted);
    expectCleanFileSystem(mounted);
    expect(run("debugfs", "-R", "cat /note", mounted)).toBe("hello\n");

    await exec(page, "rm /mnt/later; umount /mnt");
    const { output: whole } = await exec(page, "md5sum < /dev/nvme0n3");
    const path = join(folder, "data.img");
    await exportTo(page, "data", path);
    expect(readFileSync(path).length).toBe(64 * MIB + 4096);
    expect(run("md5sum", path).slice(0, 32)).toBe(whole.slice(0, 32));
    expectCleanFileSystem(path);

    // The reverse: a file system that was made on the host.
    const files = join(folder, "files");
    run("mkdir", files);
    writeFileSync(join(files, "from-host"), "made on the host\n");
    const host = join(folder, "host.img");
    run("mke2fs", "-q", "-t", "ext4", "-d", files, host, "32M");
    await importFrom(page, path, "again", 4096);
    await importFrom(page, host, "host", 512);
    await page.evaluate(() => window.doorbell?.restart());
    expect((await exec(page, "md5sum < /dev/nvme0n4")).output).toBe(whole);
    expect(
      (await exec(page, "mount -o ro /dev/nvme0n4 /mnt && md5sum < /mnt/random; umount /mnt")).output,
    ).toBe(sum);
    await exec(page, "e2fsck -f -n /dev/nvme0n5");
    expect((await exec(page, "mount /dev/nvme0n5 /mnt && cat /mnt/from-host; umount /mnt")).output).toBe(
      "made on the host\n",
    );
    await expectCleanKernelLog(page);
  });
});

test("a disk on an image of a web server: read from there, written here", async ({ persistent }) => {
  const image = Buffer.alloc(3 * MIB, "image of the server ");
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.range ?? "whole"}`);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    response.setHeader("Access-Control-Expose-Headers", "*");
    response.setHeader("Accept-Ranges", "bytes");
    response.setHeader("ETag", '"1"');
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const [start, end] = range
      ? [Number(range[1]), Math.min(Number(range[2]), image.length - 1)]
      : [0, image.length - 1];
    if (range) response.setHeader("Content-Range", `bytes ${start}-${end}/${image.length}`);
    response.setHeader("Content-Length", end - start + 1);
    response.writeHead(range ? 206 : 200);
    response.end(request.method === "HEAD" ? undefined : image.subarray(start, end + 1));
  });
  await new Promise<void>(resolve => server.listen(0, "localhost", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const page = await persistent.open();
    await booted(page);

    await test.step("made by the dialog; an address where there is nothing says so", async () => {
      await page.getByRole("button", { name: /^Disks/ }).click();
      const dialog = page.getByRole("dialog", { name: "Disks" });
      await dialog.getByLabel("Kept in").selectOption("http");
      await dialog.getByLabel("Name").fill("served");
      await dialog.getByLabel("Image at").fill("nonsense:");
      await dialog.getByRole("button", { name: "Create disk on it" }).click();
      await expect(dialog.getByRole("status")).toContainText("no address of an image");
      await dialog.getByLabel("Image at").fill(`http://localhost:${port}/disk.img`);
      await dialog.getByRole("button", { name: "Create disk on it" }).click();
      await expect(dialog.getByRole("status")).toContainText("stands on");
      await expect(dialog.getByRole("row", { name: /served/ })).toContainText("server image + changes");
      await dialog.getByRole("button", { name: "Close" }).click();
    });

    await page.evaluate(async () => {
      await window.doorbell?.catalogue.attach("served");
      await window.doorbell?.restart();
    });
    const text = "tail -c +1048577 /dev/nvme0n3 | head -c 20";
    const whole = (await exec(page, "cat /dev/nvme0n3 | sha256sum")).output.slice(0, 64);
    expect(whole).toBe(createHash("sha256").update(image).digest("hex"));
    await exec(page, "printf mine | dd of=/dev/nvme0n3 bs=1 seek=1048576 conv=notrunc,fsync 2>/dev/null");
    expect(asked.some(line => line.startsWith("GET bytes="))).toBe(true);

    await test.step("after a reload, without the server, both are there", async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      await page.reload();
      await booted(page);
      const expected = Buffer.from(image);
      expected.write("mine", MIB);
      expect((await exec(page, text)).output).toBe(expected.subarray(MIB, MIB + 20).toString());
      const now = (await exec(page, "cat /dev/nvme0n3 | sha256sum")).output.slice(0, 64);
      expect(now).toBe(createHash("sha256").update(expected).digest("hex"));
    });
  } finally {
    server.close();
  }
});
