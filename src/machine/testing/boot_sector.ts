/** A boot sector that answers keys with what a PC's firmware offers: what a system of 1981 would ask for. */

/**
 * Greets with `greeting` on the screen, then for each key: `g` graphics (mode 13h, all colours), `v` the same in
 * 640 × 480 pixels of true colour, `t` text again, `w` and another key writes a sector full of that to the first hard
 * disk, `r` reads it back and shows its first byte (`=`, or `!` after an error), `f` has the IDE disk flush (`F0`, or `F1` after an error), `m` shows the packets of a PS/2 mouse with
 * a wheel, four bytes each, until Esc. Other keys appear on the screen.
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
  "fc31c08ed88ec08ed0bc007cbe3e7de81e01", // cld; ds = es = ss = 0; sp = 7C00h; print(text)
  "e80b013c677427", // next: al = key(); g?
  "3c76741b3c74743c3c77743f3c72744b3c6674673c6d0f848100e8ef00ebda", // v t w r f m? else put(al)
  "b8024fbb1201eb03", // v: int 10h, VBE mode 112h
  "b81300", // g: int 10h, mode 13h
  "cd10b800a08ec031ff89f8d1e8aa81ff00fa72f531c08ec0ebb5", // a000:di = di / 2, for 64000 bytes
  "b80300cd10ebae", // t: int 10h, mode 3
  "e8b900bf0080b90002f3aab80103eb03", // w: 8000h = 512 times key(); ah = 3
  "b80102", // r: ah = 2
  "b90200ba8000bb0080cd13b0217202b03de89a00a00080e89400e97eff", // int 13h, cylinder 0, sector 2, drive 80h
  "baf601b0a0ee42b0e7eeeca88075fb2401043050b046e8780058e87400e95eff", // f: FLUSH CACHE to 1F7h; until not BSY
  "b002e621b010e6a1b0a8e664", // m: interrupts 1 and 12 masked; the mouse's port on
  "be367dac84c0741188c4b0d4e66488e0e660e82c0074fbebea", // each byte of "wheel" to the mouse, until it is acknowledged
  "b90400b05be84400e81d00740ee82600b020e2f1b05de83300ebe5", // put a [, hex() of four bytes and a ]; again
  "3c0175e930c0e6a1e621e911ff", // until Esc: interrupts as before
  "e464a80174fa88c4e460f6c420c3", // byte: al = the 8042's next; zero flag unless it is the mouse's
  "50c0e804e8030058240f3c0a1c692feb05", // hex: two digits
  "31c0cd16c3", // key: int 16h
  "b40ebb0700cd10c3", // put: int 10h, teletype
  "e8f5ffac84c075f8c3", // print
  "f3c8f364f350f400", // wheel: sample rates 200, 100 and 80, which switch the wheel on; report
];
const CODE_BYTES = 0x13e;
