import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

test("a first boot ends in a shell on the NVMe disk", async ({ persistent }) => {
  const page = await persistent.open("/?start=boot");
  await expect(page.getByRole("heading", { name: "Doorbell" })).toBeVisible();
  await booted(page);
  await expect(page.locator(".xterm-rows")).toContainText("root@doorbell:~#");

  const { output: mounts } = await exec(page, "grep ' / ' /proc/mounts");
  expect(mounts).toMatch(/^\/dev\/nvme0n1 \/ ext4 rw/);
  // Grown to the disk's size.
  const { output: size } = await exec(page, "df -m / | tail -n 1 | awk '{print $2}'");
  expect(Number(size)).toBeGreaterThan(950);
  const { output: blocks } = await exec(page, "lsblk -b -n -o NAME,SIZE /dev/nvme0n1 /dev/nvme0n2");
  expect(blocks).toMatch(/nvme0n1\s+1073741824/);
  expect(blocks).toMatch(/nvme0n2\s+1073741824/);
  await expectCleanKernelLog(page);

  const stages = await page.evaluate(() => window.doorbell?.bootStages());
  console.log(
    `first boot: ${stages?.map(({ stage, startMs, endMs }) => `${stage} ${Math.round(startMs)}–${Math.round(endMs ?? 0)}`).join(", ")} ms`,
  );
});

test("what a person types in the terminal reaches the shell", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("echo $((6*7))-from-the-guest > /tmp/typed; cat /tmp/typed\n");
  await expect(page.locator(".xterm-rows")).toContainText("42-from-the-guest");
  const { output } = await exec(page, "cat /tmp/typed");
  expect(output).toBe("42-from-the-guest\n");
});

test("nvme-cli finds the controller that the spec describes", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  const { output: list } = await exec(page, "nvme list");
  expect(list).toContain("/dev/nvme0n1");
  expect(list).toContain("/dev/nvme0n2");
  const { output: controller } = await exec(page, "nvme id-ctrl /dev/nvme0");
  expect(controller).toMatch(/^mdts\s*: 9$/m);
  expect(controller).toMatch(/^oacs\s*: 0x11a$/m);
  expect(controller).toMatch(/^nn\s*: 16$/m);
  const { output: namespace } = await exec(page, "nvme id-ns /dev/nvme0n2");
  expect(namespace).toMatch(/^nsze\s*: 0x200000$/m);
  await exec(page, "dd if=/dev/zero of=/dev/nvme0n2 bs=1M count=8 oflag=direct && sync");
  const { output: smart } = await exec(page, "nvme smart-log /dev/nvme0");
  expect(smart).toMatch(/^critical_warning\s*: 0/m);
  expect(
    Number(/^host_write_commands\s*: ([\d,]+)/m.exec(smart)?.[1].replaceAll(",", "")),
  ).toBeGreaterThanOrEqual(8);
  for (const command of [
    "nvme error-log /dev/nvme0",
    "nvme fw-log /dev/nvme0",
    "nvme effects-log /dev/nvme0",
    "nvme show-regs /dev/nvme0 -H || true",
    "nvme get-feature /dev/nvme0 -f 7",
    "nvme get-feature /dev/nvme0 -f 6 -H",
    "nvme list-ns /dev/nvme0",
    "nvme ns-descs /dev/nvme0n1",
    "nvme flush /dev/nvme0n2 -n 2",
    "nvme id-ctrl /dev/nvme0 -o json",
  ]) {
    await exec(page, command);
  }
  await expectCleanKernelLog(page);
});

test("the guest reaches the tools that the greeting promises", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  for (const tool of [
    "dd",
    "fio",
    "nvme",
    "mkfs.ext4",
    "e2fsck",
    "lsblk",
    "blkdiscard",
    "iostat",
    "hdparm",
  ]) {
    await exec(page, `command -v ${tool}`);
  }
  await exec(page, "command -v nano || command -v vi");
  const { output: rate } = await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=1M count=64 iflag=direct");
  expect(rate).toMatch(/copied, [\d.]+ s, [\d.]+ MB\/s/);
  await exec(page, "mkfs.ext4 -q /dev/nvme0n2 && e2fsck -f -n /dev/nvme0n2");
  await exec(
    page,
    "blkdiscard /dev/nvme0n2 && test \"$(head -c 1048576 /dev/nvme0n2 | tr -d '\\0' | wc -c)\" = 0",
  );
  await expectCleanKernelLog(page);
});

test("doorbells are elided when the queue is deep", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  const before = await counters(page);
  await exec(
    page,
    "fio --name=deep --filename=/dev/nvme0n2 --rw=randread --bs=4k --iodepth=32 --ioengine=libaio --direct=1 --thread --gtod_reduce=1 --size=64m --number_ios=4000",
  );
  const after = await counters(page);
  const commands = after.commands - before.commands;
  const rung = after.doorbellsRung - before.doorbellsRung;
  expect(commands).toBeGreaterThanOrEqual(4000);
  expect(after.errors).toBe(0);
  expect(rung).toBeLessThan(commands);
  console.log(
    `depth 32: ${commands} commands, ${rung} doorbells rung, ${after.doorbellsElided - before.doorbellsElided} elided, ` +
      `${after.doorbellsSwept - before.doorbellsSwept} swept, ${after.interrupts - before.interrupts} interrupts, ` +
      `${after.mmioExits - before.mmioExits} MMIO exits`,
  );
});
