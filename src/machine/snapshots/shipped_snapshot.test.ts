import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { defaultSettings } from "../../app/settings.ts";
import { readPatch } from "../../storage/disks/seed_patch.ts";
import type { MachineSettings } from "../api.ts";
import type { ImageManifest } from "../images.ts";
import { asFilled, BLANK, type ShippedSnapshot, UNSEEDED, whyNotShipped } from "./shipped_snapshot.ts";
import { checkDisks, readSnapshot } from "./snapshot_file.ts";

const images = new URL("../../../public/images/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("manifest.json", images), "utf8")) as ImageManifest;
const shipped = manifest.snapshot as ShippedSnapshot;

describe("the snapshot in public/images", () => {
  test("fits this version; if it does not: npm run images:snapshot", () => {
    expect(whyNotShipped(manifest, defaultSettings)).toBeUndefined();
  });

  test("is what the manifest says, and can be read", async () => {
    const entry = manifest.files.snapshot!;
    const file = readFileSync(new URL(entry.path, images));
    expect(createHash("sha256").update(file).digest("hex")).toBe(entry.encodedSha256);
    expect(file.length).toBe(entry.encodedSize);
    const { header, state } = await readSnapshot(new Blob([file]));
    expect(header.versions).toEqual(shipped.versions);
    expect(header.hardware).toEqual(shipped.hardware);
    expect(atob(header.console)).toContain("Welcome to Doorbell");
    expect(state.devices.nvme.controller.completionQueues.length).toBeGreaterThan(0);
  });

  test("comes with the changes of its system disk", () => {
    const { path } = manifest.files.systemChanges!;
    const bytes = Uint8Array.from(gunzipSync(readFileSync(new URL(path, images))));
    const numbers = readPatch(bytes).map(({ block }) => block);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    // The superblock, which every mount changes.
    expect(numbers[0]).toBe(0);
  });
});

test.each<[string, Partial<MachineSettings>]>([
  ["a boot is asked for", { start: "boot" }],
  ["it boots something else", { boot: "disk" }],
  ["its disks are a copy", { diskAccess: "readonly" }],
  ["it has no iothread", { serving: "mmio" }],
  ["it has no iothread", { serving: "mainloop" }],
  ["its settings are others", { memoryMiB: 512 }],
  ["its settings are others", { scratch: "virtio-blk" }],
  ["its settings are others", { shadowDoorbells: "google" }],
  ["its settings are others", { interrupts: "intx" }],
  ["its settings are others", { network: "fetch" }],
  ["its kernel arguments are others", { kernelArguments: "rescue" }],
])("is not used where %s: %o", (why, settings) => {
  expect(whyNotShipped(manifest, { ...defaultSettings, ...settings })).toBe(why);
});

test("is used with any polling of the iothread", () => {
  const settings = { ...defaultSettings, serving: "iothread", pollMaxUs: 0, haltPollMaxUs: 0 } as const;
  expect(whyNotShipped(manifest, settings)).toBeUndefined();
});

test("is not used with other images or another version", () => {
  const files = { ...manifest.files, kernel: { ...manifest.files.kernel, sha256: "0".repeat(64) } };
  expect(whyNotShipped({ ...manifest, files }, defaultSettings)).toBe(
    "the shipped snapshot was made with another kernel",
  );
  for (const change of [{ format: 0 }, { devices: "0.0" }, { v86: "0.0.0" }]) {
    const snapshot = { ...shipped, versions: { ...shipped.versions, ...change } };
    expect(whyNotShipped({ ...manifest, snapshot }, defaultSettings)).toContain("another version");
  }
  const { snapshot: _, ...without } = manifest;
  expect(whyNotShipped(without, defaultSettings)).toBe("none is shipped");
});

describe("the disks", () => {
  const now = (system: string, scratch: string) =>
    shipped.disks.map(disk => ({ ...disk, generation: disk.id === "system" ? system : scratch }));
  const generation = shipped.disks.find(({ id }) => id === "system")!.generation;

  test("fit while they are new, and while nothing was written since", () => {
    const fresh = asFilled(shipped, now(UNSEEDED, BLANK));
    expect(fresh.isUnseeded).toBe(true);
    expect(() => checkDisks(shipped.disks, fresh.disks)).not.toThrow();
    const same = asFilled(shipped, now(generation, BLANK));
    expect(same.isUnseeded).toBe(false);
    expect(() => checkDisks(shipped.disks, same.disks)).not.toThrow();
  });

  test.each([
    ["the system disk was written to", now("other", BLANK)],
    ["the scratch disk was written to", now(generation, "other")],
    ["the scratch disk was written to before there was a system", now(UNSEEDED, "other")],
    ["a disk is attached", [...now(generation, BLANK), { ...shipped.disks[0], id: "third", nsid: 3 }]],
    [
      "the scratch disk has other blocks",
      now(UNSEEDED, BLANK).map(disk => (disk.id === "scratch" ? { ...disk, lbaBytes: 4096 } : disk)),
    ],
    [
      "the system disk was made larger",
      now(UNSEEDED, BLANK).map(disk => (disk.id === "system" ? { ...disk, capacityBytes: 2 ** 31 } : disk)),
    ],
  ])("do not fit once %s", (_, disks) => {
    expect(() => checkDisks(shipped.disks, asFilled(shipped, disks).disks)).toThrow("cannot be restored");
  });
});
