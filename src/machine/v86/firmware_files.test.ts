import { expect, it } from "vitest";
import { diskBootFiles, offerFirmwareFiles } from "./firmware_files.ts";

const content = (name: string) => diskBootFiles(0x0e).find(file => file.name === name)?.data;

it("names the NVMe function as the first to boot, as SeaBIOS looks for it", () => {
  expect(new TextDecoder().decode(content("bootorder"))).toBe("/pci@i0cf8/*@e\n\0");
});

it("puts the console on the first serial port", () => {
  expect(content("etc/sercon-port")).toEqual(Uint8Array.of(0xf8, 0x03));
});

it("adds to the files that the emulator offers, with names that fit their directory", () => {
  const option_roms = [{ name: "genroms/kernel.bin", data: new Uint8Array(1) }];
  offerFirmwareFiles({ option_roms }, diskBootFiles(0x0e));
  expect(option_roms).toHaveLength(5);
  for (const { name } of option_roms) expect(name.length).toBeLessThan(56);
});
