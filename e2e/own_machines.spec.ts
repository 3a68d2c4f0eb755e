import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { bootSector } from "../src/machine/testing/boot_sector.ts";
import { bootableCd } from "../src/machine/testing/bootable_cd.ts";
import { expect, fillNumber, stepNotInFirefox, test } from "./browser.ts";
import { ImageHost } from "./image_host.ts";

const MIB = 1 << 20;

/** Nothing while the page changes. */
const screenText = (page: Page) =>
  page.evaluate(() => document.querySelector<HTMLElement>(".screen-text")?.innerText ?? "").catch(() => "");

/** Waits for the text on the machine's screen. */
async function expectScreen(page: Page, text: RegExp): Promise<void> {
  await expect.poll(() => screenText(page), { timeout: 60_000 }).toMatch(text);
}

const listed = (page: Page) => page.evaluate(() => (window.doorbell as Automation).snapshots.list());
const restoredFrom = (page: Page) => page.evaluate(() => window.doorbell?.restoredFrom);

/** Why it is refused; empty if it is not. */
const restore = (page: Page, id: string | undefined): Promise<string> =>
  page.evaluate(
    wanted =>
      (window.doorbell as Automation).snapshots.restore(wanted).then(
        () => "",
        (error: Error) => error.message,
      ),
    id ?? "",
  );

/** Waits for the text on the serial console of a machine, which has the focus then. */
async function onConsole(page: Page, text: RegExp): Promise<void> {
  const tab = page.getByRole("tab", { name: "Serial console" });
  if ((await tab.getAttribute("aria-selected")) !== "true") await tab.click();
  await expect
    .poll(() => page.evaluate(() => window.doorbell?.terminalText()), { timeout: 60_000 })
    .toMatch(text);
}

const naming = (page: Page) => page.getByRole("dialog", { name: "Rename machine" });

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

/** In graphics a click puts the mouse into the machine, which gets its moves, buttons and wheel; Esc lets it out. */
async function useMouse(page: Page): Promise<void> {
  const isCaptured = () => page.evaluate(() => document.pointerLockElement?.className ?? "");
  const canvas = page.locator(".picture canvas");
  await canvas.click();
  await expect.poll(isCaptured).toContain("monitor");
  await expect(page.locator(".screen-head .hint")).toHaveText(
    "The mouse is in the machine. Esc lets it out.",
  );
  // Text again, where the packets are shown.
  await page.keyboard.press("t");
  await page.keyboard.press("m");
  await expectScreen(page, /\[$/m);
  const { x, y, width, height } = (await page.locator(".picture").boundingBox())!;
  await page.mouse.move(x + width / 2 + 7, y + height / 2 + 4);
  await expectScreen(page, /\[[0-9A-F]{2} [0-9A-F]{2} [0-9A-F]{2} 00\]/);
  await page.mouse.down({ button: "right" });
  await expectScreen(page, /\[0A 00 00 00\]/);
  await page.mouse.up({ button: "right" });
  await expectScreen(page, /\[08 00 00 00\]/);
  await page.mouse.wheel(0, 100);
  await expectScreen(page, /\[08 00 00 01\]/);
  await page.evaluate(() => document.exitPointerLock());
  await expect.poll(isCaptured).toBe("");
  await expect(page.locator(".screen-head .hint")).toContainText("Keys go to the machine.");
  await page.keyboard.press("Escape");
}

/** A phone's keyboard sends no keys: it puts words together in the text field, and corrects them there. */
async function typeOnPhone(page: Page): Promise<void> {
  const desktop = page.viewportSize()!;
  await page.setViewportSize({ width: 390, height: 844 });
  const phone = await page.context().newCDPSession(page);
  await phone.send("Emulation.setTouchEmulationEnabled", { enabled: true });
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  const { x, y, width, height } = (await page.locator(".picture canvas").boundingBox())!;
  const touchPoints = [{ x: x + width / 2, y: y + height / 2 }];
  await phone.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints });
  await phone.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await expect(page.locator(".machine-keyboard")).toBeFocused();
  const compose = (text: string) =>
    phone.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
  for (const text of ["h", "he", "hel", "hell", "hello"]) await compose(text);
  await phone.send("Input.insertText", { text: "hello" });
  await phone.send("Input.insertText", { text: " " });
  for (const text of ["a", "ac", "acb"]) await compose(text);
  // Corrected as a whole.
  await phone.send("Input.insertText", { text: "abc" });
  await phone.send("Input.insertText", { text: "." });
  await expectScreen(page, /hello abc\.$/m);
  await page.screenshot({ path: "test-results/own-machine-phone.png" });
  await phone.send("Emulation.setTouchEmulationEnabled", { enabled: false });
  await phone.detach();
  await page.setViewportSize(desktop);
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

  await page.getByRole("button", { name: "Snapshots…" }).click();
  await page.getByRole("button", { name: "Save and switch off" }).click();
  await page.getByRole("button", { name: "Switch on" }).click();
  await page.waitForFunction(() => window.doorbell?.restoredFrom === "own");
  await expectScreen(page, /> abC=k=kF0/);
  await page.evaluate(async () => void (await window.doorbell?.snapshots.suspend()));

  await persistent.kill();
  let again = await persistent.open("/");
  await again.waitForFunction(() => window.doorbell?.state === "running");
  // It is nobody else's.
  expect(await listed(again)).toEqual([]);
  await again.getByRole("button", { name: "Machines…" }).click();
  const list = again.getByRole("dialog", { name: "Machines" });
  await expect(list.getByRole("listitem")).toHaveText([
    /Doorbell Linux · running here/,
    /old system.*32 MiB.*IDE disk/,
  ]);
  await list.getByRole("button", { name: "Rename old system" }).click();
  await naming(again).getByLabel("Name").fill("older system");
  await naming(again).getByRole("button", { name: "Rename" }).click();
  await expect(list.getByRole("listitem")).toHaveText([
    /Doorbell Linux/,
    /older system.*IDE disk old system/,
  ]);
  await list.getByRole("button", { name: "Start older system" }).click();
  // It goes on where it was.
  await expectScreen(again, /> abC=k=kF0/);
  expect(await restoredFrom(again)).toBe("own");
  await expect(again.locator("#boot")).toContainText("Restored from a snapshot");
  await expect(again).toHaveTitle("older system — Doorbell");
  await again.keyboard.type("r");
  await expectScreen(again, /=k=kF0=k/);

  // Graphics: 256 colours in mode 13h, then text again.
  await again.keyboard.press("g");
  await expect.poll(async () => (await picture(again)).colours).toBeGreaterThan(200);
  expect(await picture(again)).toMatchObject({ width: 320, height: 200 });
  const taken = await again.evaluate(async () => await window.doorbell?.snapshots.take());
  await again.keyboard.press("t");
  await again.keyboard.type("xyz");
  await expectScreen(again, /xyz/);
  // Back to the picture. Nothing was written meanwhile.
  expect(await restore(again, taken?.id)).toBe("");
  await expect.poll(async () => (await picture(again)).colours).toBeGreaterThan(200);
  expect(await picture(again)).toMatchObject({ width: 320, height: 200 });
  await again.keyboard.press("t");
  await again.keyboard.type("wm");
  await expectScreen(again, /^=m/);
  // Now the disk has moved on, and what runs goes on.
  expect(await restore(again, taken?.id)).toContain("disk “old system” has been written to since");
  await again.keyboard.type("f");
  await expectScreen(again, /^=mF0/);
  expect((await listed(again)).map(({ refusal }) => refusal)).toEqual([
    expect.stringContaining("has been written to"),
    expect.stringContaining("has been written to"),
  ]);
  const address = again.url();
  await persistent.kill();
  again = await persistent.open(address);
  await expectScreen(again, /Hello from IDE\n>/);
  expect(await restoredFrom(again)).toBeUndefined();
  await again.keyboard.type("r");
  await expectScreen(again, /> =m/);

  await again.keyboard.press("g");
  await expect.poll(async () => (await picture(again)).colours).toBeGreaterThan(200);
  await stepNotInFirefox("the mouse", "a headless Firefox locks no pointer", () => useMouse(again));
  await again.keyboard.press("t");
  await stepNotInFirefox("a phone's keyboard", "only Chromium’s protocol composes text", () =>
    typeOnPhone(again),
  );

  await test.step("it is renamed while it runs", async () => {
    await again.getByRole("button", { name: "Machines…" }).click();
    await again.getByRole("button", { name: "Rename older system" }).click();
    await naming(again).getByLabel("Name").fill("oldest system");
    await naming(again).getByRole("button", { name: "Rename" }).click();
    await expect(again).toHaveTitle("oldest system — Doorbell");
    await expect(again.locator(".title p")).toHaveText("oldest system");
    await again.keyboard.press("Escape");
  });

  // Deleting asks first; the built-in machine is back, and the disk is still in the list of disks.
  await again.getByRole("button", { name: "Machines…" }).click();
  await again.getByRole("button", { name: "Delete oldest system" }).click();
  const question = again.getByRole("dialog", { name: "Delete “oldest system”?" });
  await expect(question.getByRole("button", { name: "Cancel" })).toBeFocused();
  await question.getByRole("button", { name: "Delete" }).click();
  await again.waitForFunction(
    () => window.doorbell?.settings.own === undefined && window.doorbell?.state === "running",
  );
  const kept = await again.evaluate(async () =>
    (await window.doorbell?.catalogue.list())?.map(({ name }) => name),
  );
  expect(kept).toEqual(["system", "scratch", "old system"]);
  // Its snapshots are deleted with it.
  expect(await restore(again, taken?.id)).toContain("no such snapshot");
});

/** What the built-in machine is made of, as machines of one's own: Linux with its root file system on each of the controllers. */
async function keepLinuxMachines(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const fetched = async (name: string) => (await fetch(`images/${name}`)).blob();
    const [kernel, initrd, root] = await Promise.all(
      ["bzImage", "initramfs.cpio.gz", "rootfs.ext4.gz"].map(fetched),
    );
    const file = (name: string, blob: Blob) => ({ kind: "file", name, blob });
    const opening = indexedDB.open("doorbell-machines");
    opening.onupgradeneeded = () => void opening.result.createObjectStore("machines");
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    for (const [bus, device] of [
      ["ide", "sda"],
      ["nvme", "nvme0n1"],
      ["virtio", "vda"],
    ]) {
      await window.doorbell?.catalogue.importImage(root, { name: `root on ${bus}` });
      const disk = (await window.doorbell?.catalogue.list())?.find(({ name }) => name === `root on ${bus}`);
      const machine = {
        name: `Linux on ${bus}`,
        kernel: file("bzImage", kernel),
        initrd: file("initramfs", initrd),
        commandLine: `console=ttyS0 tsc=reliable mitigations=off loglevel=3 acpi=off nolapic root=/dev/${device}`,
        disks: [{ kind: "kept", id: disk?.id, name: disk?.name }],
        bus,
        bootOrder: [],
      };
      const kept = { id: `linux-${bus}`, machine, memoryMiB: 128, interrupts: "intx", createdAt: Date.now() };
      const putting = database
        .transaction("machines", "readwrite")
        .objectStore("machines")
        .put(kept, kept.id);
      await new Promise((resolve, reject) => {
        putting.onsuccess = resolve;
        putting.onerror = () => reject(putting.error);
      });
    }
    database.close();
  });
}

/** Opens the serial console's tab, and waits for the shell there, or for what it had shown. */
async function serialConsole(page: Page): Promise<void> {
  await page.getByRole("tab", { name: "Serial console" }).click();
  await expectConsole(page, /# $/);
}

/** What the serial console says, at its end or anywhere. */
async function expectConsole(page: Page, text: RegExp, timeout = 60_000): Promise<void> {
  const said = () => page.evaluate(() => window.doorbell?.terminalText().trimEnd().concat(" "));
  await expect.poll(said, { timeout }).toMatch(text);
}

/** Runs a command in the shell there. It must succeed. */
async function shell(page: Page, command: string): Promise<void> {
  const marker = `ok${Date.now() % 1_000_000}`;
  // What is typed does not look like what it prints.
  await page.keyboard.type(`${command} && echo ${marker.slice(0, 2)}""${marker.slice(2)}\n`);
  await expectConsole(page, new RegExp(`^${marker}`, "m"));
}

test("Linux in machines of one's own, on IDE, NVMe and virtio, goes on under load from its own snapshot alone", async ({
  persistent,
}) => {
  const fio =
    "fio --name=v --filename=/root/data --size=12m --rw=randwrite --bs=16k --iodepth=4 --ioengine=libaio --direct=1 --thread=1 --verify=crc32c --verify_fatal=1 --rate_iops=100 --output=/run/fio.out";
  const start = async (id: string) => {
    const page = await persistent.open(`/?machine=${id}`);
    await page.waitForFunction(() => window.doorbell?.state === "running");
    await serialConsole(page);
    return page;
  };
  /** Writes whose checksums only the fio of this boot knows are under way when it is saved; then the browser is killed. */
  const load = async (page: Page) => {
    await shell(page, "note=in-memory; mount -o remount,noinit_itable / && sync");
    await shell(page, `( ${fio}; echo status=$? >/run/fio.status ) >/dev/null 2>&1 & sleep 3`);
    const taken = await page.evaluate(async () => await window.doorbell?.snapshots.suspend());
    await persistent.kill();
    return taken?.id;
  };
  const goesOn = async (page: Page) => {
    expect(await restoredFrom(page)).toBe("own");
    await shell(page, "[ $note = in-memory ]");
    await shell(page, "while [ ! -f /run/fio.status ]; do sleep 1; done; grep -q 'status=0' /run/fio.status");
    await shell(page, "[ $(date +%Y) -gt 2000 ] && echo later >/root/later && sync");
  };
  const isClean = async (page: Page, device: string) => {
    await shell(page, `grep -q later /root/later && mount -o remount,ro / && e2fsck -fn ${device}`);
    await shell(page, "! dmesg | grep -E 'I/O error|EXT4-fs error|timeout|nobody cared|exception Emask'");
  };

  let page = await persistent.open("/");
  await page.waitForFunction(() => window.doorbell?.state === "running");
  await keepLinuxMachines(page);
  await page.close();
  page = await start("linux-ide");
  const onIde = await load(page);

  // Another machine has nothing to do with it.
  page = await start("linux-nvme");
  expect(await restoredFrom(page)).toBeUndefined();
  expect(await listed(page)).toEqual([]);
  expect(await restore(page, onIde)).toContain("is of machine “Linux on ide”");
  const added = await page.evaluate(async id => {
    const { snapshots } = window.doorbell as Automation;
    const file = await snapshots.save(id);
    return await snapshots.add(file).then(
      () => "",
      (error: Error) => error.message,
    );
  }, onIde as string);
  expect(added).toContain("is of machine “Linux on ide”");
  await load(page);

  page = await start("linux-ide");
  await goesOn(page);
  // Nothing is tidied up: its disk has moved on, and it boots.
  await persistent.kill();
  page = await start("linux-ide");
  expect(await restoredFrom(page)).toBeUndefined();
  expect(await restore(page, onIde)).toContain("disk “root on ide” has been written to since");
  await isClean(page, "/dev/sda");
  await persistent.kill();

  page = await start("linux-nvme");
  await goesOn(page);
  await isClean(page, "/dev/nvme0n1");
  await persistent.kill();

  page = await start("linux-virtio");
  await load(page);
  page = await start("linux-virtio");
  await goesOn(page);
  await isClean(page, "/dev/vda");
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
      // How far it came is shown beside what can be pressed, and not over it.
      await expect(page.getByRole("region", { name: "Boot stages" })).toBeVisible();
      await page.getByLabel("Send keys").click({ trial: true });
      await page.getByRole("button", { name: "Full screen" }).click({ trial: true });
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

test("Linux runs from a disk on virtio, and what it has flushed is there after the browser was killed", async ({
  persistent,
}) => {
  let page = await persistent.open();
  await page.waitForFunction(() => window.doorbell?.state === "running");
  // Doorbell's own system, as three files that somebody has.
  await page.evaluate(async () => {
    const data = new DataTransfer();
    for (const name of ["bzImage", "initramfs.cpio.gz", "rootfs.ext4.gz"]) {
      data.items.add(new File([await (await fetch(`images/${name}`)).blob()], name));
    }
    for (const type of ["dragover", "drop"]) {
      document.body.dispatchEvent(
        new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }),
      );
    }
  });
  const dialog = page.getByRole("dialog", { name: "Machines" });
  await dialog.getByLabel("Name").fill("Linux on virtio");
  await dialog.getByLabel("Command line").fill("console=ttyS0 tsc=reliable loglevel=3 root=/dev/vda");
  await dialog.getByLabel("Disks hang on").selectOption("virtio");
  await fillNumber(dialog.getByLabel("Memory (MiB)"), 128);
  await dialog.getByRole("button", { name: "Keep and start" }).click();
  await onConsole(page, /root@doorbell:~#$/);
  await page.keyboard.type("grep ' / ' /proc/mounts; echo kept > /root/note; sync; cat /root/no*e\n");
  await onConsole(page, /\/dev\/vda \/ ext4 rw.*\nkept\n/s);
  const address = page.url();
  await persistent.kill();

  page = await persistent.open(address);
  await onConsole(page, /root@doorbell:~#$/);
  await page.keyboard.type(
    "cat /root/note; ls /sys/bus/virtio/drivers/virtio_blk; dmesg | grep -c 'I/O error'\n",
  );
  await onConsole(page, /\nkept\n.*virtio0.*\n0\n/s);
});
