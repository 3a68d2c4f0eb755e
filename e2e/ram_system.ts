/** A guest whose system runs in RAM, for tests that erase, break or unplug the drive. */
import type { Page } from "@playwright/test";
import { booted, exec } from "./browser.ts";

/** Waits for the rescue shell (`?kernel=rescue`) and copies the system from the disk into RAM, so that it can do without the disk. */
export async function bootIntoRam(page: Page): Promise<void> {
  await booted(page);
  await exec(
    page,
    "mkdir -p /ram /mnt && mount -t tmpfs -o size=100m ram /ram && mount -t ext4 -o ro /dev/nvme0n1 /mnt && " +
      "cp -a /mnt/. /ram && umount /mnt && for d in dev proc sys; do mount -o bind /$d /ram/$d; done",
  );
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Runs a command of the system in RAM; answers what it said, errors included. */
export async function runInRam(page: Page, command: string, exitCode = 0): Promise<string> {
  const { output } = await exec(page, `chroot /ram /bin/sh -c ${quoted(`${command} 2>&1`)}`, exitCode);
  return output;
}
