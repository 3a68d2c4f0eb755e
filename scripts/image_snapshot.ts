/**
 * `npm run images:snapshot`: boots the built-in machine in headless Chromium and makes of it the snapshot that is shipped with the
 * images, from which a first visit goes on. Run it whenever its test (shipped_snapshot.test.ts) says that the one there does not
 * fit any more: after guest/build, another v86, or another state of the devices. Files: public/images/machine.snapshot, what
 * is in the machine; system-changes.gz, what that has changed on its system disk; and both in manifest.json.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { chromium, type Page } from "@playwright/test";
import { build, preview } from "vite";
import { chromiumLaunch } from "../e2e/chromium.ts";
import type { ImageManifest, ImageName } from "../src/machine/images.ts";
import { BLANK, type ShippedSnapshot, SNAPSHOT_IMAGES } from "../src/machine/snapshots/shipped_snapshot.ts";
import { readHeader } from "../src/machine/snapshots/snapshot_file.ts";
import { prepareCommand, wakeCommand } from "../src/machine/snapshots/wake_guest.ts";
import { SCRATCH, SYSTEM } from "../src/storage/disks/disk_entry.ts";
import { PATCH_BLOCK_BYTES, type PatchedBlock, writePatch } from "../src/storage/disks/seed_patch.ts";

const images = new URL("../public/images/", import.meta.url);
const manifestFile = new URL("manifest.json", images);
const SLICE_BYTES = 4 << 20;

/**
 * Nothing that a visitor's guest would have to write, and nothing in memory that nobody needs: pages that are free are zeroed, for
 * the sake of the download.
 */
const PREPARATION = [
  // ext4 would fill its inode tables for minutes.
  "mount -o remount,noinit_itable / && sync",
  "echo 3 >/proc/sys/vm/drop_caches",
  "mkdir -p /run/zero && mount -t tmpfs -o size=100% zero /run/zero",
  `dd if=/dev/zero of=/run/zero/zero bs=1M count=$(awk '/MemAvailable/ { print int($2 / 1024) - 2 }' /proc/meminfo) 2>/dev/null`,
  "umount /run/zero && rmdir /run/zero",
  "sync",
];
/** What the first commands of a visitor and the page's own need of the disk, so that they do not wait for it. */
const WARM_UP = [
  "cat /etc/motd /etc/profile /etc/passwd >/dev/null; ls -l / /root /dev /etc >/dev/null; cd /root",
  "uname -a >/dev/null; dmesg >/dev/null; mount >/dev/null; df >/dev/null; ps >/dev/null; free >/dev/null; lsblk >/dev/null 2>&1",
  "stty -F /dev/ttyS0 >/dev/null; date >/dev/null; id >/dev/null; true | base64 -d | md5sum >/dev/null",
  "sync",
];
/** Linux writes what is left to write within some seconds. */
const SETTLE_MS = 12_000;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function exec(page: Page, command: string): Promise<string> {
  const { exitCode, output } = await page.evaluate(text => window.doorbell!.exec(text), command);
  if (exitCode !== 0) throw new Error(`${command}\n${output}`);
  return output;
}

/** Boots, and switches the machine off with a snapshot. */
async function takeSnapshot(page: Page): Promise<Blob> {
  await page.waitForFunction(() => window.doorbell !== undefined);
  await page.evaluate(() => window.doorbell!.ready);
  // The second run finds in memory what it needs.
  const wake = () => wakeCommand(Date.now(), bytes => crypto.getRandomValues(bytes), true);
  for (const command of [...PREPARATION, prepareCommand(), wake(), ...WARM_UP, wake()])
    await exec(page, command);
  await page.waitForTimeout(SETTLE_MS);
  console.log(await exec(page, "cat /proc/meminfo | head -5"));
  const base64 = await page.evaluate(async () => {
    const { snapshots } = window.doorbell!;
    const { id } = await snapshots.suspend();
    return new Uint8Array(await (await snapshots.save(id)).arrayBuffer()).reduce(
      (text, byte) => text + String.fromCharCode(byte),
      "",
    );
  });
  return new Blob([Buffer.from(base64, "latin1")]);
}

/** The system disk as it is after that, in slices; undefined for one that is all zeroes. */
async function* readDisk(page: Page): AsyncGenerator<Buffer | undefined> {
  const disk = await page.evaluateHandle(name => window.doorbell!.catalogue.exportImage(name), SYSTEM);
  const bytes = await disk.evaluate(blob => blob!.size);
  for (let at = 0; at < bytes; at += SLICE_BYTES) {
    const text = await disk.evaluate(
      async (blob, [from, to]) => {
        const slice = new Uint8Array(await blob!.slice(from, to).arrayBuffer());
        if (slice.every(byte => byte === 0)) return "";
        return slice.reduce((all, byte) => all + String.fromCharCode(byte), "");
      },
      [at, at + SLICE_BYTES],
    );
    yield text === "" ? undefined : Buffer.from(text, "latin1");
  }
}

/** Image `name` as the page has it, with embedded images in their places. */
function decodedImage(manifest: ImageManifest, name: ImageName): Buffer {
  const { path, encoding, embeds = [] } = manifest.files[name];
  const file = readFileSync(new URL(path, images));
  const image = encoding === "gzip" ? gunzipSync(file) : file;
  for (const { image: part, offset } of embeds) decodedImage(manifest, part).copy(image, offset);
  return image;
}

async function changedBlocks(page: Page, image: Buffer): Promise<PatchedBlock[]> {
  const zeroes = Buffer.alloc(PATCH_BLOCK_BYTES);
  const changed: PatchedBlock[] = [];
  let sliceAt = 0;
  for await (const slice of readDisk(page)) {
    for (let at = 0; at < SLICE_BYTES; at += PATCH_BLOCK_BYTES) {
      const block = (sliceAt + at) / PATCH_BLOCK_BYTES;
      const before =
        sliceAt + at < image.length ? image.subarray(sliceAt + at, sliceAt + at + PATCH_BLOCK_BYTES) : zeroes;
      const data = slice?.subarray(at, at + PATCH_BLOCK_BYTES) ?? zeroes;
      if (!data.equals(before)) changed.push({ block, data });
    }
    sliceAt += SLICE_BYTES;
  }
  return changed;
}

/** The file with its body packed as well as gzip can. */
function repacked(file: Buffer): Buffer {
  const bodyAt = 12 + file.readUInt32LE(8);
  return Buffer.concat([file.subarray(0, bodyAt), gzipSync(gunzipSync(file.subarray(bodyAt)), { level: 9 })]);
}

/** As guest/lib/manifest.sh writes it: a package a line. */
function format(manifest: unknown): string {
  const text = JSON.stringify(manifest, null, 2);
  const oneLine = (object: string) => object.replace(/\s*\n\s*/g, " ");
  return `${text.replace(/\{\n\s+"(name|image)": [^{}]*\}/g, oneLine).replace(/\[\s+(\{ "image"[^\]]*?)\s+\]/g, (_, list: string) => `[${oneLine(list)}]`)}\n`;
}

async function main(): Promise<void> {
  const outDir = mkdtempSync(join(tmpdir(), "doorbell-snapshot-"));
  await build({ logLevel: "error", build: { outDir, emptyOutDir: true } });
  const server = await preview({
    build: { outDir },
    preview: { port: 4178, strictPort: true, host: "localhost" },
  });
  const browser = await chromium.launch({ ...chromiumLaunch, headless: true });
  try {
    const page = await (await browser.newContext({ serviceWorkers: "block" })).newPage();
    await page.goto("http://localhost:4178/?start=boot");
    const file = await takeSnapshot(page);
    const manifest = JSON.parse(readFileSync(manifestFile, "utf8")) as ImageManifest;
    const image = decodedImage(manifest, "rootfs");
    if (sha256(image) !== manifest.files.rootfs.sha256)
      throw new Error("rootfs.ext4.gz is not what the manifest says.");
    const changes = Buffer.from(writePatch(await changedBlocks(page, image)));
    write(manifest, await readHeader(file), repacked(Buffer.from(await file.arrayBuffer())), changes);
  } finally {
    await browser.close();
    await server.close();
    rmSync(outDir, { recursive: true, force: true });
  }
}

function write(
  manifest: ImageManifest,
  { versions, hardware, disks }: Awaited<ReturnType<typeof readHeader>>,
  snapshot: Buffer,
  changes: Buffer,
): void {
  const packedChanges = gzipSync(changes, { level: 9 });
  writeFileSync(new URL("machine.snapshot", images), snapshot);
  writeFileSync(new URL("system-changes.gz", images), packedChanges);
  const shipped: ShippedSnapshot = {
    versions,
    hardware,
    commandLine: `${manifest.cmdline} acpi=off lapic`,
    madeOf: Object.fromEntries(SNAPSHOT_IMAGES.map(name => [name, manifest.files[name].sha256])),
    disks: disks.map(disk => ({
      ...disk,
      generation:
        disk.id === SCRATCH ? BLANK : `shipped-${sha256(Buffer.concat([snapshot, changes])).slice(0, 32)}`,
    })),
  };
  const files = {
    ...manifest.files,
    snapshot: entry("machine.snapshot", "identity", snapshot, snapshot),
    systemChanges: entry("system-changes.gz", "gzip", changes, packedChanges),
  };
  const {
    version,
    files: _files,
    cmdline,
    snapshot: _snapshot,
    ...rest
  } = manifest as ImageManifest & { version: number };
  writeFileSync(manifestFile, format({ version, files, cmdline, snapshot: shipped, ...rest }));
  const mb = (bytes: Buffer) => `${(bytes.length / 1e6).toFixed(2)} MB`;
  console.log(
    `machine.snapshot: ${mb(snapshot)}; system-changes.gz: ${mb(packedChanges)}, ${changes.length / (PATCH_BLOCK_BYTES + 4)} blocks`,
  );
}

function entry(path: string, encoding: "gzip" | "identity", bytes: Buffer, packed: Buffer) {
  return {
    path,
    sha256: sha256(bytes),
    size: bytes.length,
    encoding,
    encodedSize: packed.length,
    encodedSha256: sha256(packed),
  };
}

await main();
