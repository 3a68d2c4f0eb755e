/** A boot sector that answers keys with what a PC's firmware offers: what a system of 1981 would ask for. */

/**
 * Greets with `greeting` on the screen, then for each key: `g` graphics (mode 13h, all colours), `v` the same in
 * 640 × 480 pixels of true colour, `t` text again, `w` and
 * another key writes a sector full of that to the first hard disk, `r` reads it back and shows its first byte (`=`, or
 * `!` after an error), `f` has the IDE disk flush (`F0`, or `F1` after an error). Other keys appear on the screen.
 */
export function bootSector(greeting: string): Uint8Array<ArrayBuffer> {
  const sector = new Uint8Array(512);
  sector.set(
    CODE.join("")
      .match(/../g)
      ?.map(byte => Number.parseInt(byte, 16)) ?? [],
  );
  sector.set(new TextEncoder().encode(`${greeting}\r\n> \0`), CODE_BYTES);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

/** Made with GNU as from 16-bit code at 7C00h; the text follows it. */
const CODE = [
  "fc31c08ed88ec08ed0bc007cbec57ce8a800", // cld; ds = es = ss = 0; sp = 7C00h; print(text)
  "e898003c677421", // next: al = key(); g?
  "3c7674153c7474363c7774393c7274453c667460e88200ebe0", // v t w r f? else put(al)
  "b8024fbb1201eb03", // v: int 10h, VBE mode 112h
  "b81300", // g: int 10h, mode 13h
  "cd10b800a08ec031ff89f8d1e8aa81ff00fa72f531c08ec0ebbb", // a000:di = di / 2, for 64000 bytes
  "b80300cd10ebb4", // t: int 10h, mode 3
  "e84c00bf0080b90002f3aab80103eb03", // w: 8000h = 512 times key(); ah = 3
  "b80102", // r: ah = 2
  "b90200ba8000bb0080cd13b0217202b03de82d00a00080e82700eb85", // int 13h, cylinder 0, sector 2, drive 80h
  "baf601b0a0ee42b0e7eeeca88075fb2401043050b046e80c0058e80800e965ff", // f: FLUSH CACHE to 1F7h; until not BSY
  "31c0cd16c3", // key: int 16h
  "b40ebb0700cd10c3", // put: int 10h, teletype
  "ac84c07405e8f0ffebf6c3", // print
];
const CODE_BYTES = 0xc5;
