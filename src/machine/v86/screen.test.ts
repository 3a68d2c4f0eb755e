import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PixelUpdate, ScreenRequest, ScreenUpdate, TextUpdate } from "../screen_protocol.ts";
import { Screen } from "./screen.ts";
import type { V86Emulator, V86ScreenAdapter } from "./seams.ts";

/** A VGA as far as a screen sees it, and the page's end of the port. */
function makeRig() {
  const sent: [string, unknown][] = [];
  const kbd = { length: 0 };
  const image = { data: new Uint8ClampedArray(new SharedArrayBuffer(4 * 4 * 4)), width: 4, height: 4 };
  const vga = {
    screen: {} as V86ScreenAdapter,
    graphical_mode: false,
    image_data: null as typeof image | null,
    retraces: 0,
    made: [] as unknown[],
    set_size_graphical(width: number, height: number) {
      // As v86 does, which in a browser throws for shared memory.
      const { ImageData } = globalThis as unknown as {
        ImageData: new (data: Uint8ClampedArray, width: number, height: number) => typeof image;
      };
      vga.image_data = new ImageData(image.data, width, height);
      vga.screen.set_size_graphical(width, height, width, height);
    },
    screen_fill_buffer() {
      const layer = { screen_x: 0, screen_y: 0, buffer_x: 0, buffer_y: 0, buffer_width: 4, buffer_height: 4 };
      if (vga.image_data) vga.screen.update_buffer([{ image_data: vga.image_data, ...layer }]);
      vga.retraces++;
    },
    update_vertical_retrace() {
      vga.retraces++;
    },
    complete_redraw() {},
  };
  const emulator = {
    bus: { send: (event: string, value: unknown) => void sent.push([event, value]) },
    v86: { cpu: { devices: { vga, ps2: { kbd_buffer: kbd } } } },
  } as unknown as V86Emulator;
  const updates: ScreenUpdate[] = [];
  const port = {
    onmessage: null as ((event: { data: ScreenRequest }) => void) | null,
    postMessage: (update: ScreenUpdate) => void updates.push(update),
  };
  const screen = new Screen(emulator, port as unknown as MessagePort);
  const request = (data: ScreenRequest) => port.onmessage?.({ data });
  return { vga, image, kbd, sent, updates, screen, request };
}

const textOf = (update: ScreenUpdate | undefined): string => {
  const { cells, columns } = update as TextUpdate;
  return Array.from({ length: columns }, (_, column) => String.fromCharCode(cells[column * 3] & 0xff)).join(
    "",
  );
};

describe("Screen", () => {
  let rig: ReturnType<typeof makeRig>;
  beforeEach(() => {
    vi.useFakeTimers();
    rig = makeRig();
  });
  afterEach(() => vi.useRealTimers());

  const frame = () => {
    vi.advanceTimersByTime(20);
    rig.screen.pump(false);
  };
  const type = (text: string) => {
    rig.vga.screen.set_size_text(text.length, 1);
    for (const [column, c] of Array.from(text).entries()) {
      rig.vga.screen.put_char(0, column, c.charCodeAt(0), 0, 0x0000aa, 0xffffff);
    }
  };

  it("sends nothing while nobody watches, and the guest has its retraces all the same", () => {
    type("hi");
    for (let i = 0; i < 5; i++) frame();
    expect(rig.updates).toEqual([]);
    expect(rig.vga.retraces).toBe(5);
  });

  it("sends the whole screen to who begins to watch, then what changes, one update for each that was drawn", () => {
    type("hi");
    rig.request({ kind: "watch" });
    expect(rig.updates.map(textOf)).toEqual(["hi"]);
    type("ho");
    frame();
    expect(rig.updates).toHaveLength(1);
    rig.request({ kind: "ready" });
    vi.advanceTimersByTime(20);
    expect(rig.updates.map(textOf)).toEqual(["hi", "ho"]);
    rig.request({ kind: "ready" });
    frame();
    expect(rig.updates).toHaveLength(2);
    rig.request({ kind: "unwatch" });
    type("he");
    frame();
    expect(rig.updates).toHaveLength(2);
  });

  it("shows what an idle guest wrote last, without being pumped again", () => {
    rig.request({ kind: "watch" });
    rig.request({ kind: "ready" });
    vi.advanceTimersByTime(20);
    type("end");
    rig.screen.pump(true);
    vi.advanceTimersByTime(20);
    expect(textOf(rig.updates.at(-1))).toBe("end");
  });

  it("takes graphics out of shared memory, which v86's own pictures cannot be made of", () => {
    rig.request({ kind: "watch" });
    rig.request({ kind: "ready" });
    rig.vga.graphical_mode = true;
    rig.vga.screen.set_mode(true);
    rig.vga.set_size_graphical(4, 4);
    expect(rig.vga.image_data?.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    new Uint32Array(rig.image.data.buffer).fill(0x123456);
    frame();
    const update = rig.updates.at(-1) as PixelUpdate;
    expect(update).toMatchObject({ kind: "pixels", width: 4, height: 4, top: 0 });
    expect([...update.pixels.subarray(0, 4)]).toEqual([0x56, 0x34, 0x12, 0xff]);
  });

  it("survives a guest whose registers cannot be drawn", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    rig.vga.update_vertical_retrace = () => {
      throw new RangeError("no such picture");
    };
    expect(() => {
      frame();
      frame();
    }).not.toThrow();
    rig.vga.screen.put_char(99, 99, 65, 0, 0, 0);
    rig.vga.screen.set_size_graphical(1e6, 1e6, 1e6, 1e6);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });

  it("gives the guest a key once it has read the one before, and the mouse in a mouse's counts", () => {
    rig.request({ kind: "keys", groups: [[0x1e, 0x9e], [0x30]] });
    expect(rig.sent).toEqual([
      ["keyboard-code", 0x1e],
      ["keyboard-code", 0x9e],
    ]);
    rig.kbd.length = 2;
    rig.screen.pump(false);
    expect(rig.sent).toHaveLength(2);
    rig.kbd.length = 0;
    rig.screen.pump(false);
    expect(rig.sent.at(-1)).toEqual(["keyboard-code", 0x30]);
    rig.request({ kind: "move", x: 3, y: 1000 });
    rig.request({ kind: "buttons", left: true, middle: false, right: true });
    rig.request({ kind: "wheel", notches: 2 });
    rig.request({ kind: "move", x: Number.NaN, y: 0 });
    expect(rig.sent.slice(3)).toEqual([
      ["mouse-delta", [3, -255]],
      ["mouse-click", [true, false, true]],
      ["mouse-wheel", [-2, 0]],
      ["mouse-delta", [0, -0]],
    ]);
  });
});
