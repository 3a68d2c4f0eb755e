import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

/** The images that the page gets from its server from now on. */
function receivedImages(page: Page): Set<string> {
  const received = new Set<string>();
  page.on("requestfinished", request => {
    const name = /\/images\/([^/]+)$/.exec(new URL(request.url()).pathname)?.[1];
    if (name) received.add(name);
  });
  return received;
}

const terminalText = (page: Page) =>
  page.evaluate(() => window.doorbell?.terminalText() ?? "").catch(() => "");

/** Presses ESC until the firmware shows its menu, and then the key of the disk with this description. */
async function chooseBootDisk(page: Page, disk: RegExp): Promise<void> {
  await page.locator(".xterm-helper-textarea").focus();
  const pressed = async () => {
    const text = await terminalText(page);
    if (text.includes("SeaBIOS") && !text.includes("Select boot device:"))
      await page.keyboard.press("Escape");
    return text;
  };
  await expect.poll(pressed, { timeout: 40_000, intervals: [100] }).toMatch(disk);
  await page.keyboard.press(disk.exec(await terminalText(page))?.[1] ?? "?");
}

/** A disk whose first sector writes a line with the BIOS's teletype call and then waits for ever. */
function helloDisk(line: string): number[] {
  const code = [
    ...[0xfc, 0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x15, 0x7c], // cld; ds = 0; si = text
    ...[0xac, 0x84, 0xc0, 0x74, 0x06, 0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf5], // lodsb; int 10h, ah 0eh, until it is 0
    ...[0xf4, 0xeb, 0xfd], // hlt, again and again
  ];
  code[6] = code.length; // the text follows
  const sector = new Array<number>(512).fill(0);
  sector.splice(0, code.length + line.length, ...code, ...new TextEncoder().encode(line));
  sector.splice(510, 2, 0x55, 0xaa);
  return sector;
}

async function expectBootedByGrub(page: Page): Promise<void> {
  const { output: commandLine } = await exec(page, "cat /proc/cmdline");
  // GRUB says what it has loaded; the page's own way to hand a kernel over does not.
  expect(commandLine).toMatch(/^BOOT_IMAGE=\/boot\/vmlinuz console=ttyS0 /);
  expect(await terminalText(page)).toContain("Booting `Doorbell Linux'");
  const stages = (await page.evaluate(() => window.doorbell?.bootStages())) ?? [];
  const at = (name: string) => stages.find(({ stage }) => stage === name);
  for (const [before, after] of [
    ["firmware", "bootloader"],
    ["bootloader", "kernel"],
    ["kernel", "userspace"],
  ]) {
    expect(at(before)?.endMs, before).toBeLessThanOrEqual(at(after)?.startMs ?? 0);
  }
  console.log(
    stages.map(({ stage, startMs, endMs = 0 }) => `${stage} ${Math.round(endMs - startMs)} ms`).join(", "),
  );
}

test("SeaBIOS boots GRUB, GRUB a kernel, all from the NVMe disk; another disk boots as well", async ({
  persistent,
}) => {
  const page = await persistent.open("about:blank");
  const received = receivedImages(page);
  await page.goto("/?boot=disk");
  await booted(page);
  await expectBootedByGrub(page);
  // Kernel and initramfs are on the disk, so the controller must have read them: 3.7 MB of the whole.
  const { output: size } = await exec(page, "cat /boot/vmlinuz /boot/initramfs.cpio | wc -c");
  expect((await counters(page)).bytesRead).toBeGreaterThan(Number(size));
  const { output: mounts } = await exec(page, "grep ' / ' /proc/mounts");
  expect(mounts).toMatch(/^\/dev\/nvme0n1 \/ ext4 rw/);
  // Out of the journal: GRUB does not replay it.
  await exec(
    page,
    "sed -i 's/loglevel=3/& only.on.the.disk=1/' /boot/grub/grub.cfg && mount -o remount,ro / && mount -o remount,rw /",
  );
  await page.evaluate(async sector => {
    const { catalogue } = window.doorbell as Automation;
    await catalogue.importImage(new Blob([new Uint8Array(sector), new Uint8Array(2 ** 20 - 512)]), {
      name: "hello",
    });
    await catalogue.attach("hello");
  }, helloDisk("Hello from a disk of my own"));

  // From here on there is no other kernel to be had, and no other image of the disk.
  await page.context().route(/bzImage|initramfs|rootfs/, route => route.abort());
  received.clear();
  await page.reload();
  await chooseBootDisk(page, /(\d)\. NVMe NS 1: 1024 MiB/);
  await booted(page);
  expect([...received].sort()).toEqual(["bios.bin", "manifest.json", "vgabios.bin"]);
  await expectBootedByGrub(page);
  const { output: commandLine } = await exec(page, "cat /proc/cmdline");
  expect(commandLine).toContain("only.on.the.disk=1");
  await exec(page, "dd if=/dev/nvme0n1 of=/dev/null bs=1M count=32 iflag=direct");
  await expectCleanKernelLog(page);

  await page.evaluate(() => void window.doorbell?.restart().catch(() => {}));
  await chooseBootDisk(page, /(\d)\. NVMe NS 3: 1 MiB/);
  await expect.poll(() => terminalText(page)).toContain("Hello from a disk of my own");
});

test("boots from the disk where the vCPU thread serves it, with interrupts by the pin", async ({
  persistent,
}) => {
  const page = await persistent.open("/?boot=disk&serving=mainloop&interrupts=intx");
  await booted(page);
  await expectBootedByGrub(page);
  const { output: interrupts } = await exec(page, "grep nvme /proc/interrupts");
  expect(interrupts).toContain("XT-PIC");
  await expectCleanKernelLog(page);
});
