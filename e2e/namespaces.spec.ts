import type { Page } from "@playwright/test";
import { booted, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

const MIB = 2 ** 20;

/** Waits until Linux has a block device, or has it no more. */
async function appears(page: Page, name: string, there = true): Promise<void> {
  const wanted = there ? "[ -b" : "[ ! -e";
  await exec(
    page,
    `for i in $(seq 100); do ${wanted} /dev/${name} ] && exit 0; usleep 100000; done; lsblk; exit 1`,
  );
}

/** Formats a namespace to 512-byte blocks (0) or 4096-byte ones (1), and waits until Linux has seen it. */
async function format(page: Page, name: string, lbaFormat: 0 | 1): Promise<void> {
  await exec(page, `nvme format /dev/${name} --lbaf=${lbaFormat} --force`);
  const size = lbaFormat === 0 ? 512 : 4096;
  await exec(
    page,
    `for i in $(seq 50); do [ $(blockdev --getss /dev/${name}) = ${size} ] && exit 0; usleep 100000; done; exit 1`,
  );
}

/** The disks of the catalogue that Linux has made or may attach. */
function numbered(page: Page) {
  return page.evaluate(async () =>
    ((await window.doorbell?.catalogue.list()) ?? [])
      .filter(disk => disk.nsid !== undefined)
      .map(({ name, nsid, attached, lbaBytes, capacityBytes, path }) => ({
        name,
        nsid,
        attached,
        lbaBytes,
        capacityBytes,
        path,
      })),
  );
}

test("namespaces: made, attached, used, formatted and deleted by Linux; disks plugged by the page", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await booted(page);

  await test.step("Linux makes one, which is a disk of the catalogue", async () => {
    const { output: controller } = await exec(page, "nvme id-ctrl /dev/nvme0");
    const figure = (name: string) => Number(new RegExp(`^${name}\\s*: (\\d+)$`, "m").exec(controller)?.[1]);
    expect(figure("nn")).toBe(16);
    expect(figure("mnan")).toBe(16);
    expect(figure("unvmcap")).toBeGreaterThan(64 * MIB);
    expect(figure("tnvmcap")).toBe(figure("unvmcap") + 2 ** 31);
    const { output } = await exec(page, "nvme create-ns /dev/nvme0 --nsze=65536 --ncap=65536 --flbas=0");
    expect(output).toContain("created nsid:3");
    expect((await exec(page, "nvme list-ns /dev/nvme0 --all")).output).toMatch(/0x1\n.*0x2\n.*0x3/);
    expect((await exec(page, "nvme list-ns /dev/nvme0")).output).not.toContain("0x3");
    expect(await numbered(page)).toEqual([
      { name: "namespace 3", nsid: 3, attached: false, lbaBytes: 512, capacityBytes: 32 * MIB },
    ]);
  });

  await test.step("… attaches it without a reboot, and writes to it", async () => {
    await exec(page, "nvme attach-ns /dev/nvme0 --namespace-id=3 --controllers=0");
    await exec(page, "nvme ns-rescan /dev/nvme0");
    await appears(page, "nvme0n3");
    expect((await exec(page, "lsblk -bno SIZE /dev/nvme0n3")).output.trim()).toBe(String(32 * MIB));
    await exec(
      page,
      "mke2fs -q -t ext4 /dev/nvme0n3 && mount /dev/nvme0n3 /mnt && dd if=/dev/urandom of=/mnt/random bs=1M count=4 2>/dev/null && sync",
    );
  });

  await test.step("the page does not pull a disk from under a file system", async () => {
    await expect(page.evaluate(() => window.doorbell?.catalogue.detach("namespace 3"))).rejects.toThrow(
      "/dev/nvme0n3 /mnt",
    );
    await exec(page, "[ -b /dev/nvme0n3 ] && touch /mnt/still-there && sync");
  });

  const { output: sum } = await exec(page, "sha256sum < /mnt/random; umount /mnt");
  await test.step("it is attached again, with its data, after a reload", async () => {
    await page.reload();
    await booted(page);
    expect((await exec(page, "mount /dev/nvme0n3 /mnt && sha256sum < /mnt/random; umount /mnt")).output).toBe(
      sum,
    );
  });

  await test.step("a disk of the page comes and goes while Linux runs; the other one keeps its number", async () => {
    const path = await page.evaluate(async bytes => {
      await window.doorbell?.catalogue.create({ name: "plugged", capacityBytes: bytes, lbaBytes: 4096 });
      return await window.doorbell?.catalogue.attach("plugged");
    }, 16 * MIB);
    expect(path).toBe("/dev/nvme0n4");
    expect((await exec(page, "lsblk -bno NAME,SIZE /dev/nvme0n4")).output.trim()).toMatch(
      /^nvme0n4\s+16777216$/,
    );
    expect(
      (await exec(page, "blockdev --getss /dev/nvme0n4; blockdev --getsize64 /dev/nvme0n4")).output.split(
        /\s+/,
      ),
    ).toEqual(["4096", String(16 * MIB), ""]);
    await exec(page, "echo plugged in | dd of=/dev/nvme0n4 bs=4k conv=sync,fsync 2>/dev/null");

    await page.getByRole("button", { name: /^Disks/ }).click();
    const dialog = page.getByRole("dialog", { name: "Disks" });
    await dialog.getByRole("button", { name: "Detach namespace 3" }).click();
    await expect(dialog.getByRole("status")).toContainText("has left the machine");
    await appears(page, "nvme0n3", false);
    expect((await exec(page, "head -c 10 /dev/nvme0n4; cat /sys/block/nvme0n4/nsid")).output).toBe(
      "plugged in4\n",
    );
    await dialog.getByRole("button", { name: "Attach namespace 3" }).click();
    await expect(dialog.getByRole("status")).toContainText("Linux calls it /dev/nvme0n3");
    await appears(page, "nvme0n3");
    await dialog.getByRole("button", { name: "Close" }).click();
    expect((await exec(page, "mount /dev/nvme0n3 /mnt && sha256sum < /mnt/random; umount /mnt")).output).toBe(
      sum,
    );
  });

  await test.step("a format to 4096-byte blocks deletes, and Linux and the catalogue see it", async () => {
    await format(page, "nvme0n3", 1);
    expect((await exec(page, "cmp -n 33554432 /dev/nvme0n3 /dev/zero; echo $?")).output.trim()).toBe("0");
    expect((await numbered(page))[0]).toMatchObject({ lbaBytes: 4096, capacityBytes: 32 * MIB });
    await exec(page, "mke2fs -q -t ext4 /dev/nvme0n3 && e2fsck -fn /dev/nvme0n3");
  });

  await test.step("the machine's own disks too, but not under a file system that is mounted", async () => {
    await format(page, "nvme0n2", 1);
    await exec(
      page,
      "mke2fs -q -t ext4 /dev/nvme0n2 && mount /dev/nvme0n2 /mnt && echo four thousand > /mnt/note && umount /mnt",
    );
    expect((await exec(page, "nvme format /dev/nvme0n1 --lbaf=1 2>&1", 1)).output).toMatch(/busy/i);
  });

  await test.step("detached and deleted by Linux: gone from the catalogue, also after a reload", async () => {
    await exec(page, "nvme detach-ns /dev/nvme0 --namespace-id=3 --controllers=0");
    await appears(page, "nvme0n3", false);
    await exec(page, "nvme delete-ns /dev/nvme0 --namespace-id=3");
    expect((await exec(page, "nvme list-ns /dev/nvme0 --all")).output).not.toContain("0x3");
    // The machine's own disks stay, whatever Linux asks for.
    expect((await exec(page, "nvme delete-ns /dev/nvme0 --namespace-id=2 2>&1", 1)).output).toMatch(
      /denied/i,
    );
    await expectCleanKernelLog(page);
    await page.reload();
    await booted(page);
    expect((await numbered(page)).map(({ name, path }) => [name, path])).toEqual([
      ["plugged", "/dev/nvme0n3"],
    ]);
    // Linux counts the disks that it finds; the namespace is the same.
    expect((await exec(page, "head -c 10 /dev/nvme0n3; cat /sys/block/nvme0n3/nsid")).output).toBe(
      "plugged in4\n",
    );
    expect(
      (
        await exec(
          page,
          "blockdev --getss /dev/nvme0n2; mount /dev/nvme0n2 /mnt && cat /mnt/note; umount /mnt",
        )
      ).output,
    ).toBe("4096\nfour thousand\n");
    await format(page, "nvme0n2", 0);
    expect((await exec(page, "blockdev --getsize64 /dev/nvme0n2")).output.trim()).toBe(String(2 ** 30));
    const databases = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
    expect(databases.filter(name => name?.includes("namespace-3"))).toEqual([]);
    expect(databases.filter(name => name?.includes("plugged"))).toHaveLength(1);
  });

  await test.step("a system disk that was formatted by force can be reset from the page", async () => {
    await exec(page, "nvme format /dev/nvme0n1 --lbaf=1 --force; true");
    const lbaBytes = () =>
      page.evaluate(async () =>
        (await window.doorbell?.catalogue.list())?.flatMap(disk => (disk.builtIn ? disk.lbaBytes : [])),
      );
    await expect.poll(lbaBytes).toEqual([4096, 512]);
    await page.evaluate(() => window.doorbell?.resetDisks("system"));
    await booted(page);
    await expect.poll(lbaBytes).toEqual([512, 512]);
    expect((await exec(page, "blockdev --getss /dev/nvme0n1; head -c 10 /dev/nvme0n3")).output).toBe(
      "512\nplugged in",
    );
  });
});
