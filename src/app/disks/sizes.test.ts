import { describe, expect, it } from "vitest";
import { checkDiskName } from "../../storage/disks/disk_entry.ts";
import { nameOfImage, parseSize } from "./sizes.ts";

describe("parseSize", () => {
  for (const [text, bytes] of [
    ["1048576", 2 ** 20],
    ["64 MiB", 64 * 2 ** 20],
    [" 64M ", 64 * 2 ** 20],
    ["1.5G", 1.5 * 2 ** 30],
    ["1,5 gb", 1.5 * 2 ** 30],
    ["2t", 2 * 2 ** 40],
    ["8 b", 8],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => expect(parseSize(text)).toBe(bytes));
  }

  for (const text of ["", "M", "-1", "0", "1e3", "1.5", "64 MiBs", "1 2", "99999999999 t"]) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseSize(text)).toBeUndefined());
  }
});

describe("nameOfImage", () => {
  for (const [file, name] of [
    ["debian.img", "debian"],
    ["debian-12.raw.gz", "debian-12"],
    ["Mein Gerät.qcow2", "Mein Gerät"],
    ["a:b*.img", "a-b-"],
    ["...", "disk"],
    [`${"x".repeat(60)}.img`, "x".repeat(48)],
  ] as const) {
    it(`makes ${name} of ${file}`, () => {
      expect(nameOfImage(file)).toBe(name);
      expect(() => checkDiskName(name)).not.toThrow();
    });
  }
});
