import type { Page } from "@playwright/test";
import { counters, exec, expect, test } from "./browser.ts";
import { bootIntoRam, runInRam as run } from "./ram_system.ts";

/**
 * nvme-cli and the driver's ways to lose and find the controller, with the system in RAM: what is erased, reset, unbound
 * and unplugged here is all of the drive.
 */

const PCI = "0000:00:0e.0";
const DISK = "/dev/nvme0n2";

/** Runs a command until its output is as wanted. */
async function until(page: Page, command: string, wanted: RegExp): Promise<string> {
  const end = Date.now() + 20_000;
  for (;;) {
    const output = await run(page, `${command}; true`);
    if (wanted.test(output)) return output;
    if (Date.now() > end) throw new Error(`${command} never said ${wanted}:\n${output}`);
    await page.waitForTimeout(100);
  }
}

/** Reads and writes that check themselves, in the background; `waitForLoad` says how they ended. */
async function startLoad(page: Page, seconds: number): Promise<void> {
  const { commands } = await counters(page);
  await exec(
    page,
    `chroot /ram fio --name=load --filename=${DISK} --rw=randrw --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --thread ` +
      `--size=16m --verify=crc32c --verify_fatal=1 --time_based --runtime=${seconds} --allow_file_create=0 >/load.log 2>&1 & ` +
      "load=$!",
  );
  // A busy machine takes a while to start it.
  await expect.poll(async () => (await counters(page)).commands - commands).toBeGreaterThan(200);
}

async function waitForLoad(page: Page) {
  const { output } = await exec(page, "wait $load; echo exit $?; cat /load.log");
  return output;
}

const fieldOf = (text: string, name: string): number => {
  const found = new RegExp(`^${name}\\s*:\\s*(0x[0-9a-f]+|[\\d,]+)`, "im").exec(text);
  if (!found) throw new Error(`no ${name} in:\n${text}`);
  return Number(found[1].replaceAll(",", ""));
};

const kernelLog = async (page: Page) => (await exec(page, "dmesg -c")).output;

test("nvme-cli, resets, sanitize, unbinding and unplugging, from a system in RAM", async ({ persistent }) => {
  test.setTimeout(240_000);
  const page = await persistent.open("/?kernel=rescue");
  await bootIntoRam(page);

  await test.step("Identify", async () => {
    const controller = await run(page, "nvme id-ctrl /dev/nvme0");
    expect(fieldOf(controller, "ver")).toBe(0x10400);
    // Device Self-test, Format NVM.
    expect(fieldOf(controller, "oacs") & 0x12).toBe(0x12);
    expect(fieldOf(controller, "sanicap")).toBe(0x60000002);
    expect(fieldOf(controller, "kas")).toBe(10);
    expect(await run(page, "nvme list-ns /dev/nvme0")).toMatch(/:0x1\n.*:0x2\n/);
    expect(await run(page, `nvme ns-descs ${DISK}`)).toMatch(/nguid\s*:\s*[0-9a-f]{32}/);
    expect(await run(page, "nvme show-regs /dev/nvme0; true")).toMatch(/version\s*:\s*10400/);
  });

  await test.step("Features: select, and SAVE refused", async () => {
    await run(
      page,
      "for id in 1 2 4 5 6 7 8 9 10 11 15 23; do for select in 0 1 2 3; do " +
        "nvme get-feature /dev/nvme0 -f $id -s $select || exit 1; done; done",
    );
    await run(page, "nvme set-feature /dev/nvme0 -f 4 -v 290");
    expect(await run(page, "nvme get-feature /dev/nvme0 -f 4 -s 0")).toMatch(/0x0*122/);
    expect(await run(page, "nvme get-feature /dev/nvme0 -f 4 -s 1")).toMatch(/0x0*157/);
    expect(fieldOf(await run(page, "nvme smart-log /dev/nvme0"), "critical_warning")).toBe(2);
    await run(page, "nvme set-feature /dev/nvme0 -f 4 -v 343");
    expect(await run(page, "nvme set-feature /dev/nvme0 -f 6 -v 1 -s; true")).toMatch(/10d/i);
  });

  await test.step("logs", async () => {
    expect(await run(page, "nvme admin-passthru /dev/nvme0 --opcode=0xff; true")).toMatch(/0x4001/);
    const errors = await run(page, "nvme error-log /dev/nvme0 -e 4");
    expect(errors).toMatch(/status_field\s*:\s*0x(4|2)001/);
    const smart = await run(page, "nvme smart-log /dev/nvme0");
    expect(fieldOf(smart, "power_cycles")).toBe(1);
    expect(fieldOf(smart, "unsafe_shutdowns")).toBe(0);
    expect(fieldOf(smart, "media_errors")).toBe(0);
    expect(fieldOf(smart, "num_err_log_entries")).toBeGreaterThanOrEqual(2);
    expect(fieldOf(smart, "host_read_commands")).toBeGreaterThan(20);
    expect(await run(page, "nvme fw-log /dev/nvme0")).toMatch(/afi\s*:\s*0x1/);
    expect(await run(page, "nvme effects-log /dev/nvme0")).toMatch(/Sanitize/);
    await run(page, "nvme changed-ns-list-log /dev/nvme0");
    const offset = "nvme get-log /dev/nvme0 --log-id=5 --log-len=64 --lpo=64 -b | wc -c";
    expect((await run(page, offset)).trim()).toBe("64");
  });

  await test.step("Keep Alive, and what is refused", async () => {
    await run(page, "nvme admin-passthru /dev/nvme0 --opcode=0x18");
    for (const command of [
      "security-recv /dev/nvme0 -s 0 -p 0 -x 512 -t 512",
      "dir-receive /dev/nvme0 -D 0 -O 1 -n 1",
      "fw-commit /dev/nvme0 -s 1 -a 2",
      "virt-mgmt /dev/nvme0 -c 0 -r 0 -n 0 -a 1",
    ]) {
      expect(await run(page, `nvme ${command}; true`), command).toMatch(
        /Invalid Command Opcode|INVALID_OPCODE|4001/i,
      );
    }
  });

  await test.step("Abort, of what is not there", async () => {
    // Bit 0 of the result: not aborted.
    const abort = await run(page, "nvme admin-passthru /dev/nvme0 --opcode=8 --cdw10=0x70001");
    expect(abort).toMatch(/Success and result: 0x0*1$/m);
  });

  await test.step("Compare, Write Zeroes, Dataset Management, Copy, Verify, Write Uncorrectable", async () => {
    // Eight blocks, of which block 100 is the first.
    const where = `${DISK} -s 100 -c 7`;
    const [good, other] = ["head -c 4096 /bin/busybox", "tail -c 4096 /bin/busybox"];
    await run(page, `${good} > /tmp/good; ${other} > /tmp/other`);
    await run(page, `nvme write ${where} -z 4096 -d /tmp/good`);
    await run(page, `nvme compare ${where} -z 4096 -d /tmp/good`);
    expect(await run(page, `nvme compare ${where} -z 4096 -d /tmp/other; true`)).toMatch(
      /COMPARE_FAILED|285/i,
    );
    await run(page, `nvme copy ${DISK} --sdlba=200 --slbs=100,104 --blocks=3,3`);
    await run(page, `nvme compare ${DISK} -s 200 -c 7 -z 4096 -d /tmp/good`);
    await run(page, `nvme verify ${where}`);
    await run(page, `nvme write-uncor ${where}`);
    for (const command of [`verify ${where}`, `read ${where} -z 4096 -d /dev/null`]) {
      expect(await run(page, `nvme ${command}; true`), command).toMatch(/READ_ERROR|281/i);
    }
    const errors = await run(page, "nvme error-log /dev/nvme0 -e 1");
    expect(fieldOf(errors, "lba")).toBe(100);
    await run(page, `nvme write-zeroes ${where}`);
    expect(await run(page, `nvme read ${where} -z 4096 2>/dev/null | tr -d '\\0' | wc -c`)).toBe("0\n");
    await run(page, `nvme dsm ${DISK} --ad --slbs=200 --blocks=8`);
    expect(await run(page, `nvme read ${DISK} -s 200 -c 7 -z 4096 2>/dev/null | tr -d '\\0' | wc -c`)).toBe(
      "0\n",
    );
  });

  await test.step("Device Self-test", async () => {
    await run(page, "nvme device-self-test /dev/nvme0 -n 0xffffffff -s 2");
    const over = await until(page, "nvme self-test-log /dev/nvme0", /Current operation\s*:\s*0(x0)?\s/i);
    expect(over).toMatch(/Operation Result\s*:\s*0(x0)?\s/i);
    expect(over).toMatch(/Self Test Code\s*:\s*2/i);
  });

  await test.step("Format NVM", async () => {
    await run(page, `dd if=/dev/urandom of=${DISK} bs=64k count=1 oflag=direct`);
    await run(page, `nvme format ${DISK} --force`);
    expect(
      await run(page, `dd if=${DISK} bs=64k count=1 iflag=direct status=none | tr -d '\\0' | wc -c`),
    ).toBe("0\n");
  });

  await kernelLog(page);
  await test.step("nvme reset and subsystem-reset under load lose nothing", async () => {
    await startLoad(page, 5);
    await run(
      page,
      "nvme reset /dev/nvme0; sleep 1; nvme subsystem-reset /dev/nvme0 && nvme reset /dev/nvme0",
    );
    expect(await waitForLoad(page)).toMatch(/exit 0\n[\s\S]*err= 0/);
    const log = await kernelLog(page);
    expect(log).not.toMatch(/I\/O error|timeout/);
  });

  await test.step("Sanitize erases both namespaces", async () => {
    await run(page, `dd if=/dev/urandom of=${DISK} bs=64k count=1 oflag=direct`);
    await run(page, "nvme sanitize /dev/nvme0 -a 2");
    const log = await until(page, "nvme sanitize-log /dev/nvme0", /SSTAT\)\s*:\s*0x1\n/);
    expect(log).toMatch(/SPROG\)\s*:\s*65535/);
    // Global Data Erased, which nvme-cli does not show.
    const raw = "nvme get-log /dev/nvme0 --log-id=0x81 --log-len=4 -b | od -An -tx1";
    expect((await run(page, raw)).trim()).toBe("ff ff 01 01");
    for (const disk of ["/dev/nvme0n1", DISK]) {
      expect(
        await run(page, `dd if=${disk} bs=1M count=8 iflag=direct status=none | tr -d '\\0' | wc -c`),
      ).toBe("0\n");
    }
  });

  await run(
    page,
    `seq 1 20000 > /tmp/data; dd if=/tmp/data of=${DISK} bs=4k seek=8192 oflag=direct conv=sync status=none`,
  );
  const sum = await run(page, "head -c 100000 /tmp/data | md5sum");
  const dataIsThere = async () => {
    const command = `dd if=${DISK} bs=4k skip=8192 count=32 iflag=direct status=none | head -c 100000 | md5sum`;
    expect(await run(page, command)).toBe(sum);
  };

  await test.step("unbinding the driver under load, and binding it again", async () => {
    await startLoad(page, 30);
    await exec(page, `echo ${PCI} > /sys/bus/pci/drivers/nvme/unbind`);
    // Its disk is gone, and fio says so.
    expect(await waitForLoad(page)).toMatch(/exit [1-9]/);
    await exec(page, "test ! -e /dev/nvme0n2");
    await exec(page, `echo ${PCI} > /sys/bus/pci/drivers/nvme/bind`);
    await until(page, "ls /dev", /nvme0n2/);
    await dataIsThere();
  });

  await test.step("unplugging the function from its bus, and finding it again", async () => {
    await startLoad(page, 30);
    await exec(page, `echo 1 > /sys/bus/pci/devices/${PCI}/remove`);
    expect(await waitForLoad(page)).toMatch(/exit [1-9]/);
    await exec(page, `test ! -e /sys/bus/pci/devices/${PCI}`);
    await exec(page, "echo 1 > /sys/bus/pci/rescan");
    await until(page, "ls /dev", /nvme0n2/);
    await dataIsThere();
    const smart = await run(page, "nvme smart-log /dev/nvme0");
    expect(fieldOf(smart, "power_cycles")).toBe(1);
    // Those that Write Uncorrectable made.
    expect(fieldOf(smart, "media_errors")).toBe(2);
  });
});
