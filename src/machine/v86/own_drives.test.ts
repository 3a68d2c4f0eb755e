import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { BlockCache } from "../../storage/cache/block_cache.ts";
import { MemoryBackend, type MemoryStore } from "../../storage/memory_backend.ts";
import { BlobImage } from "../../storage/overlay/blob_image.ts";
import {
  CELL_WORDS,
  type PixelUpdate,
  type ScreenRequest,
  type ScreenUpdate,
  type TextUpdate,
} from "../screen_protocol.ts";
import { bootSector } from "../testing/boot_sector.ts";
import { bootableCd } from "../testing/bootable_cd.ts";
import { DiskBuffer } from "./disk_buffer.ts";
import { createEmulator, type Emulator } from "./emulator.ts";
import { menuFiles } from "./firmware_files.ts";
import { ideBusyWith } from "./ide_state.ts";
import { ImageBuffer } from "./image_buffer.ts";
import type { InputState } from "./input_devices.ts";
import type { Media } from "./media.ts";

const IMAGES = fileURLToPath(new URL("../../../public/images/", import.meta.url));
const V86 = dirname(createRequire(import.meta.url).resolve("v86/package.json"));
const present = existsSync(join(IMAGES, "bios.bin"));
const load = (path: string): ArrayBuffer => Uint8Array.from(readFileSync(path)).buffer;

describe.skipIf(!present)("the firmware, with media in v86's drives", () => {
  let emulator: Emulator | undefined;
  let pump: ReturnType<typeof setInterval> | undefined;
  let update: TextUpdate | undefined;
  let graphics: PixelUpdate | undefined;
  let request: (request: ScreenRequest) => void = () => {};

  afterEach(async () => {
    clearInterval(pump);
    await emulator?.v86.stop();
    (emulator?.v86 as unknown as { destroy?(): Promise<void> })?.destroy?.();
  });

  async function stop(): Promise<Emulator> {
    clearInterval(pump);
    if (!emulator) throw new Error("It was not started");
    await emulator.v86.stop();
    return emulator;
  }

  async function start(media: Media, resumed?: { state: ArrayBuffer; input: InputState }): Promise<void> {
    const port = {
      onmessage: null as ((event: { data: ScreenRequest }) => void) | null,
      postMessage(sent: ScreenUpdate) {
        if (sent.kind === "text") update = sent;
        else graphics = sent;
        setTimeout(() => request({ kind: "ready" }));
      },
    };
    emulator = await createEmulator({
      wasm: new Uint8Array(readFileSync(join(V86, "build/v86.wasm"))),
      bios: load(join(IMAGES, "bios.bin")),
      vgaBios: load(join(IMAGES, "vgabios.bin")),
      kernel: undefined,
      firmwareFiles: menuFiles(),
      media,
      screenPort: port as unknown as MessagePort,
      memoryBytes: 16 << 20,
      ideBytes: 0,
      localApic: false,
      network: "",
      onReboot: () => {},
    });
    const { screen, v86 } = emulator;
    request = data => port.onmessage?.({ data });
    request({ kind: "watch" });
    if (resumed) {
      await v86.restore_state(resumed.state);
      screen.input.restore(resumed.input);
    }
    pump = setInterval(() => screen.pump(true), 5);
    void v86.run();
  }

  const text = () => {
    const { cells = new Uint32Array(), columns = 1 } = update ?? {};
    const characters = Array.from({ length: cells.length / CELL_WORDS }, (_, cell) =>
      String.fromCharCode(cells[cell * CELL_WORDS] & 0xff),
    ).join("");
    return characters.replace(new RegExp(`.{${columns}}`, "gs"), line => `${line.trimEnd()}\n`);
  };
  const shows = (expected: RegExp) => expect.poll(text, { timeout: 30_000 }).toMatch(expected);
  const colours = () => new Set(graphics && new Uint32Array(graphics.pixels.buffer)).size;
  const type = (...groups: number[][]) => request({ kind: "keys", groups });
  const W = [0x11, 0x91];
  const K = [0x25, 0xa5];
  const R = [0x13, 0x93];
  const F = [0x21, 0xa1];
  const G = [0x22, 0xa2];
  const V = [0x2f, 0xaf];
  const T = [0x14, 0x94];
  const M = [0x32, 0xb2];

  it("boots an IDE disk, which keeps what is written and flushed", async () => {
    const stored: MemoryStore = new Map();
    const boot = new Uint8Array(4096);
    boot.set(bootSector("Hello from IDE"));
    stored.set(0, boot);
    const cache = await BlockCache.open(new MemoryBackend(4096, 1024, stored), { cacheBytes: 1 << 20 });
    await start({ ideDisks: [new DiskBuffer(cache, 4 << 20)], bootOrder: ["disk"] });
    await shows(/Hello from IDE\n>/);
    type(W, K, R, F);
    await shows(/> =k=kF0/);
    expect(stored.get(0)?.[512]).toBe("k".charCodeAt(0));
  });

  it("goes on from what was saved: screen, keyboard, and the disk that is read and written", async () => {
    const stored: MemoryStore = new Map();
    const boot = new Uint8Array(4096);
    boot.set(bootSector("Hello again"));
    stored.set(0, boot);
    const media = async (): Promise<Media> => {
      const cache = await BlockCache.open(new MemoryBackend(4096, 1024, stored), { cacheBytes: 1 << 20 });
      return { ideDisks: [new DiskBuffer(cache, 4 << 20)], bootOrder: ["disk"] };
    };
    await start(await media());
    await shows(/Hello again\n>/);
    type(W, K, F);
    await shows(/> =kF0/);
    // The last key is one that the guest has not read when it is saved.
    const saved = await stop();
    expect(ideBusyWith(saved.v86)).toBeUndefined();
    saved.screen.input.receive({ kind: "keys", groups: [T, R] });
    const [state, input] = [await saved.v86.save_state(), saved.screen.input.save()];
    expect(input.keyboard).toEqual(T);
    update = undefined;

    await start(await media(), { state, input });
    // The keys that waited: the screen is cleared (t), and the sector is read from the disk (r).
    await shows(/^=k$/m);
    // Graphics of a VGA, and of VESA's BIOS extension, whose picture is in the memory of the display adapter.
    for (const [key, size] of [
      [G, [320, 200]],
      [V, [640, 480]],
    ] as const) {
      type(key);
      await expect.poll(() => [graphics?.width, graphics?.height], { timeout: 10_000 }).toEqual(size);
      await expect.poll(colours).toBeGreaterThan(200);
      const again = await stop();
      const saved = { state: await again.v86.save_state(), input: again.screen.input.save() };
      graphics = undefined;
      const later = Date.now() + 1500;
      await expect.poll(() => Date.now(), { timeout: 3000 }).toBeGreaterThan(later);
      await start(await media(), saved);
      await expect.poll(colours).toBeGreaterThan(200);
      await expect.poll(() => [graphics?.width, graphics?.height]).toEqual(size);
      // The clock chip is right, however long it was off.
      const { rtc } = (emulator as Emulator).cpu.devices as unknown as {
        readonly rtc: { readonly rtc_time: number };
      };
      await expect.poll(() => Math.abs(rtc.rtc_time - Date.now())).toBeLessThan(1000);
    }
    type(T, W, R, F);
    await shows(/^=rF0/m);
    expect(stored.get(0)?.[512]).toBe("r".charCodeAt(0));
  });

  it("boots a CD", async () => {
    const image = new BlobImage("a.iso", new Blob([bootableCd(bootSector("Hello from a CD"))]));
    await start({ cdrom: new ImageBuffer(image), ideDisks: [], bootOrder: ["cdrom"] });
    await shows(/Hello from a CD\n>/);
    // Graphics of a VGA, and of VESA's BIOS extension: pictures that lie in the shared memory.
    type(G);
    await expect.poll(() => [graphics?.width, graphics?.height]).toEqual([320, 200]);
    await expect.poll(colours).toBeGreaterThan(200);
    type(V);
    await expect.poll(() => [graphics?.width, graphics?.height], { timeout: 10_000 }).toEqual([640, 480]);
    await expect.poll(colours).toBeGreaterThan(200);
    type(T, K);
    await shows(/^k$/m);
    // A mouse, as packets: buttons and signs, right, up, wheel.
    type(M);
    await shows(/\[$/m);
    request({ kind: "move", x: 5, y: 3 });
    await shows(/\[28 05 FD 00\]/);
    request({ kind: "buttons", left: false, middle: false, right: true });
    await shows(/\[0A 00 00 00\]/);
    request({ kind: "wheel", notches: -1 });
    await shows(/\[0A 00 00 0F\]|\[0A 00 00 FF\]/);
    request({ kind: "buttons", left: false, middle: false, right: false });
    await shows(/\[08 00 00 00\]/);
  });
});
