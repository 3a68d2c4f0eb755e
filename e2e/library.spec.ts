import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { createServer } from "vite";
import type { Attachment } from "../src/library/attachment.ts";
import { test as base, expect } from "./browser.ts";
import { type PackedLibrary, packLibrary } from "./packed_library.ts";
import { PersistentBrowser } from "./persistent_browser.ts";
import { type StaticFiles, serveFiles } from "./static_files.ts";

// One trace goes from the first to the last.
base.describe.configure({ mode: "serial" });

/** What the smallest example leaves in the window. */
type Window = typeof globalThis & { readonly attachment: Attachment };

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** What withModules() puts there. */
type Modules = typeof globalThis & {
  readonly library: typeof import("../src/library/index.ts");
  readonly V86: typeof import("v86").V86;
};

/** The page's modules, as its import map finds them, for what a test does in the page. */
async function withModules(page: Page): Promise<void> {
  const content =
    'import * as library from "v86-nvme"; import { V86 } from "v86"; Object.assign(window, { library, V86 });';
  await page.addScriptTag({ type: "module", content });
  await page.waitForFunction(() => "library" in window);
}

/** Everything comes from the packed tarball, which is made once. */
const test = base.extend<
  { open: (folder: string, headers?: Readonly<Record<string, string>>) => Promise<Page> },
  { library: PackedLibrary }
>({
  library: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names that a fixture needs from here.
    async ({}, use) => {
      const library = packLibrary();
      await use(library);
      library.remove();
    },
    { scope: "worker", timeout: 120_000 },
  ],
  open: async ({ library }, use) => {
    const servers: StaticFiles[] = [];
    const browser = new PersistentBrowser("");
    await use(async (folder, headers = isolation) => {
      const server = await serveFiles({ "/": folder, "/images/": library.images }, headers);
      servers.push(server);
      const page = await browser.open(`${server.url}/`);
      page.on("pageerror", ({ message }) => console.log(`page: ${message}`));
      return page;
    });
    await browser.close();
    for (const server of servers) await server.close();
  },
});

/** Types a command into the example's guest; resolves to its output, once the prompt is back. */
async function sh(page: Page, command: string): Promise<string> {
  const before = (await screen(page)).length;
  await page.getByLabel("Type a command").fill(`${command}; echo "[$?]"`);
  await page.getByRole("button", { name: "Send" }).click();
  let output = "";
  await expect
    .poll(
      async () => {
        output = (await screen(page)).slice(before);
        return output;
      },
      { timeout: 60_000 },
    )
    .toMatch(/\n\[\d+\]\n/);
  expect(output, command).toContain("\n[0]\n");
  return output;
}

const screen = async (page: Page): Promise<string> => (await page.locator("#screen").textContent()) ?? "";

const booted = (page: Page) =>
  expect(page.locator("#screen")).toContainText("rescue:/#", { timeout: 120_000 });

const counters = (page: Page) => page.evaluate(() => (window as unknown as Window).attachment.counters());

/** The number before these words in the example's status line. */
async function figure(page: Page, words: string): Promise<number> {
  const text = (await page.getByRole("status").textContent()) ?? "";
  return Number(new RegExp(`(\\d+) ${words}`).exec(text)?.[1]);
}

const pattern = (letter: string) => `head -c 262144 /dev/zero | tr '\\000' ${letter}`;
const WRITE = `${pattern("n")} | dd of=/dev/nvme0n1 bs=64k seek=4 iflag=fullblock conv=fsync 2>/dev/null`;
const READ = "dd if=/dev/nvme0n1 bs=64k skip=4 count=4 2>/dev/null | tr -d n | wc -c";

test("the smallest page keeps a disk, from static files and with an iothread", async ({ open, library }) => {
  const page = await open(join(library.folder, "smallest"));
  await booted(page);
  expect(await page.evaluate(() => (window as unknown as Window).attachment.serving)).toBe("iothread+poll");
  const observed = await page.evaluateHandle(() => (window as unknown as Window).attachment.observe());
  await sh(page, WRITE);
  const { writes, flushes, sectorsWritten, mmioExits, errors } = await counters(page);
  expect(writes).toBeGreaterThan(0);
  expect(flushes).toBeGreaterThan(0);
  expect(sectorsWritten).toBeGreaterThanOrEqual(512);
  expect(mmioExits).toBeGreaterThan(0);
  expect(errors).toBe(0);
  const trace = await page.evaluate(async observer => {
    const { attachment } = window as unknown as Window;
    return attachment.traceFile(observer.read(), observer.lost);
  }, observed);
  writeFileSync(join(library.folder, "trace.json"), trace);
  await expect(page.getByRole("status")).toContainText("iothread+poll: ");

  await page.reload();
  await booted(page);
  expect(await sh(page, READ)).toMatch(/^0$/m);
  expect(await sh(page, "cat /proc/interrupts")).toMatch(/PCI-MSI.*nvme0q/);
  const iothreads = () => page.workers().filter(worker => worker.url().endsWith("/iothread.js")).length;
  expect(iothreads()).toBe(1);
  await page.evaluate(() => (window as unknown as Window).attachment.dispose());
  await expect.poll(iothreads).toBe(0);
});

test("the smallest page works on a page that is not isolated, with the disk in the page's own thread", async ({
  open,
  library,
}) => {
  const page = await open(join(library.folder, "smallest"), {});
  await booted(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  expect(await page.evaluate(() => (window as unknown as Window).attachment.serving)).toBe("mmio");
  await sh(page, WRITE);
  expect(await sh(page, `echo 3 > /proc/sys/vm/drop_caches; ${READ}`)).toMatch(/^0$/m);
  const { reads, writes, errors } = await counters(page);
  expect(reads).toBeGreaterThan(0);
  expect(writes).toBeGreaterThan(0);
  expect(errors).toBe(0);
  // What can only be served by a thread of its own is refused, and nothing is left behind.
  await withModules(page);
  const refusal = await page.evaluate(async () => {
    await (window as unknown as Window).attachment.dispose();
    const { sharedMemory, deleteDisk } = (window as unknown as Modules).library;
    await deleteDisk({ kind: "indexeddb", name: "smallest", capacityBytes: 1 });
    try {
      return String(sharedMemory("v86.wasm"));
    } catch (error) {
      return String(error);
    }
  });
  expect(refusal).toMatch(/not cross-origin isolated/);
  expect(await page.evaluate(async () => (await indexedDB.databases()).length)).toBe(0);
});

test("virtio-blk on an image on the web; a disk in OPFS", async ({ open, library }) => {
  const page = await open(join(library.folder, "smallest"));
  // The page's own machine gives way to one with another device.
  await page.waitForFunction(() => "attachment" in window);
  await withModules(page);
  const opfs = await page.evaluate(async () => {
    const { emulator, attachment } = window as unknown as Window & { emulator: { destroy(): Promise<void> } };
    await attachment.dispose();
    await emulator.destroy();
    const { library, V86 } = window as unknown as Modules;
    const { attachNvme, attachVirtio, deleteDisk, sharedMemory } = library;
    const make = (options: object) =>
      new V86({
        ...sharedMemory("node_modules/v86/build/v86.wasm"),
        memory_size: 128 << 20,
        bios: { url: "images/bios.bin" },
        vga_bios: { url: "images/vgabios.bin" },
        ...{ disable_keyboard: true, disable_mouse: true, disable_speaker: true, autostart: false },
        ...{ acpi: true, net_device: { type: "none" as "ne2k" } },
        ...options,
      } as ConstructorParameters<typeof V86>[0]);
    const screen = document.getElementById("screen") as HTMLElement;
    screen.textContent = "";
    const machine = make({
      bzimage: { url: "images/bzImage" },
      initrd: { url: "images/initramfs.cpio.gz" },
      cmdline: "rescue console=ttyS0 tsc=reliable mitigations=off loglevel=3 acpi=off lapic",
    });
    machine.add_listener("serial0-output-byte", (byte: number) => {
      screen.append(String.fromCharCode(byte).replace("\r", ""));
    });
    const disk = { backend: { kind: "http", url: "images/bzImage" } } as const;
    const virtio = await attachVirtio(machine, { type: "block", disk });
    // In place of the page's own listener.
    document.getElementById("keyboard")?.addEventListener(
      "submit",
      event => {
        event.preventDefault();
        event.stopImmediatePropagation();
        machine.serial0_send(`${(document.getElementById("line") as HTMLInputElement).value}\n`);
      },
      { capture: true },
    );
    Object.assign(window, { attachment: virtio });

    const backend = { kind: "opfs", name: "in-files", capacityBytes: 4 << 20 } as const;
    const second = await attachNvme(make({}), { namespaces: [{ backend, lbaBytes: 4096 }] });
    const states = await second.disks();
    const inUse = await deleteDisk(backend).catch((error: Error) => error.message);
    await second.dispose();
    await deleteDisk(backend);

    // An I/O worker of one's own, which dies.
    let worker: Worker | undefined;
    const third = await attachNvme(make({}), {
      namespaces: [{ backend: { kind: "memory", capacityBytes: 1 << 20 } }],
      startIothread() {
        worker = new Worker("node_modules/v86-nvme/iothread.js", { type: "module" });
        return worker;
      },
    });
    const died = new Promise<string>(resolve => third.on("error", ({ message }) => resolve(message)));
    worker?.terminate();
    const death = await died;
    const unsaved = await third.dispose().catch((error: Error) => error.message);
    await machine.run();
    return { states, inUse, death, unsaved };
  });
  expect(opfs.death).toMatch(/I\/O worker stopped/);
  expect(opfs.unsaved).toMatch(/I\/O worker/);
  expect(opfs.states).toMatchObject([
    { nsid: 1, capacityBytes: 4 << 20, lbaBytes: 4096, failure: undefined },
  ]);
  expect(opfs.inUse).toMatch(/in use/);
  await booted(page);
  const sectors = 4096;
  const image = readFileSync(join(library.images, "bzImage")).subarray(0, sectors * 512);
  const output = await sh(page, `dd if=/dev/vda bs=512 count=${sectors} 2>/dev/null | md5sum`);
  expect(output).toContain(createHash("md5").update(image).digest("hex"));
  expect((await counters(page)).sectorsRead).toBeGreaterThanOrEqual(sectors);
});

test("a backend of one's own serves a V86 in a worker, built with Vite and from its development server", async ({
  open,
  library,
}) => {
  library.check("own-backend");
  const page = await open(library.build("own-backend"));
  await booted(page);
  await sh(page, WRITE);
  expect(await sh(page, `echo 3 > /proc/sys/vm/drop_caches; ${READ}`)).toMatch(/^0$/m);
  // The page counts in shared memory; the backend has compressed what was flushed.
  await expect.poll(() => figure(page, "KiB written")).toBeGreaterThanOrEqual(256);
  await expect.poll(() => figure(page, "bytes packed")).toBeGreaterThan(0);
  expect(await figure(page, "bytes packed")).toBeLessThan(100_000);
  await page.close();

  const example = join(library.folder, "own-backend");
  cpSync(library.images, join(example, "public/images"), { recursive: true });
  const server = await createServer({
    root: example,
    configFile: join(example, "vite.config.js"),
    logLevel: "error",
    server: { port: 0, host: "localhost" },
  });
  try {
    await server.listen();
    const [url] = server.resolvedUrls?.local ?? [];
    const inDevelopment = await page.context().newPage();
    await inDevelopment.goto(url);
    await expect.poll(() => figure(inDevelopment, "commands")).toBeGreaterThanOrEqual(0);
    await inDevelopment.close();
  } finally {
    await server.close();
  }
});

test("a saved trace is read without a machine, and without its code", async ({ open, library }) => {
  library.check("trace-viewer");
  const built = library.build("trace-viewer");
  const scripts = readdirSync(join(built, "assets")).filter(name => name.endsWith(".js"));
  const code = scripts.map(name => readFileSync(join(built, "assets", name), "utf8")).join("");
  console.log(`trace viewer: ${code.length} bytes of JavaScript`);
  expect(code.length).toBeLessThan(60_000);
  expect(code).not.toMatch(/indexedDB|new Worker/);

  const page = await open(built, {});
  await page.locator("#file").setInputFiles(join(library.folder, "trace.json"));
  await expect(page.getByRole("status")).toContainText(
    /^\d+ commands, served by iothread\+poll: half of them/,
  );
  await expect(page.getByRole("row", { name: "Write" }).first()).toBeVisible();
  writeFileSync(join(library.folder, "other.json"), "{}");
  await page.locator("#file").setInputFiles(join(library.folder, "other.json"));
  await expect(page.getByRole("status")).toContainText("was not saved by Doorbell");
});
