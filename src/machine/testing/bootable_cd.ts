/** The smallest CD that a PC boots: ISO 9660 with an El Torito boot record, and one boot sector. */

const SECTOR = 2048;

/** `size`: bytes of the whole; `boot`: the first 512 bytes that the firmware loads. */
export function bootableCd(boot: Uint8Array, size = 64 * SECTOR): Uint8Array<ArrayBuffer> {
  const cd = new Uint8Array(size);
  const text = new TextEncoder();
  const descriptor = (sector: number, type: number) => {
    cd.set([type, ...text.encode("CD001"), 1], sector * SECTOR);
    return sector * SECTOR;
  };
  const view = new DataView(cd.buffer);
  const both = (at: number, value: number) => {
    view.setUint32(at, value, true);
    view.setUint32(at + 4, value, false);
  };
  const primary = descriptor(16, 1);
  cd.set(text.encode("DOORBELL TEST".padEnd(32)), primary + 40);
  both(primary + 80, size / SECTOR);
  view.setUint16(primary + 128, SECTOR, true);
  const record = descriptor(17, 0);
  cd.set(text.encode("EL TORITO SPECIFICATION"), record + 7);
  view.setUint32(record + 0x47, 19, true);
  descriptor(18, 255);
  const catalog = 19 * SECTOR;
  // Validation entry: its sixteen words come to zero.
  cd.set([1, 0], catalog);
  cd.set([0x55, 0xaa], catalog + 30);
  view.setUint16(catalog + 28, 0x10000 - 0x0001 - 0xaa55, true);
  // Initial entry: bootable, no emulation, one sector of 512 bytes, at sector 20.
  cd.set([0x88, 0], catalog + 32);
  view.setUint16(catalog + 38, 1, true);
  view.setUint32(catalog + 40, 20, true);
  cd.set(boot, 20 * SECTOR);
  return cd;
}
