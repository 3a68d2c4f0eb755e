import { BLINKING, type ScreenRequest, SECOND_FONT } from "../screen_protocol.ts";
import { InputDevices } from "./input_devices.ts";
import { ScreenFrame } from "./screen_frame.ts";
import type { V86Emulator, V86Image, V86Layer, V86ScreenAdapter } from "./seams.ts";
import { TextScreen } from "./text_screen.ts";

/** Between two looks at the screen: a VGA's retrace comes 60 to 70 times a second. */
const FRAME_MS = 16;
/** The largest picture of the display adapter (DISPI), and of what a VGA's registers can ask for. */
const MAX_PIXELS = 2560 * 1600;

/** v86 makes one of these, where there is none, of shared memory, which the browser's own refuses. */
class SharedImage implements V86Image {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(data: Uint8ClampedArray, width: number, height: number) {
    this.data = data;
    this.width = width;
    this.height = height;
  }
}

/**
 * The guest's screen in the vCPU's worker: takes the place of v86's own, and sends what changes to the page, at most once
 * a frame, while somebody watches. Without a port nobody ever does; the guest sees its retraces all the same.
 */
export class Screen {
  readonly #emulator: V86Emulator;
  readonly #port: MessagePort | undefined;
  readonly #text = new TextScreen();
  readonly input: InputDevices;
  #frame = new ScreenFrame(1, 1);
  #graphical = false;
  #watched = false;
  /** The page has drawn what it was sent last. */
  #pageReady = false;
  #lastLook = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed = false;

  constructor(emulator: V86Emulator, port: MessagePort | undefined) {
    this.#emulator = emulator;
    this.#port = port;
    this.input = new InputDevices(emulator);
    const { vga } = emulator.v86.cpu.devices;
    vga.screen = this.#adapter();
    const setSize = vga.set_size_graphical.bind(vga);
    vga.set_size_graphical = (...size) => withSharedImages(() => setSize(...size));
    if (port) port.onmessage = ({ data }: MessageEvent<ScreenRequest>) => this.#receive(data);
  }

  /** To be called every few milliseconds while the guest runs, and when it becomes idle. */
  pump(idle: boolean): void {
    this.input.pump();
    const wait = this.#lastLook + FRAME_MS - performance.now();
    if (wait <= 0) this.#look();
    else if (idle) this.#lookIn(wait);
  }

  #lookIn(ms: number): void {
    if (!this.#watched || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, ms);
  }

  #look(): void {
    this.#lastLook = performance.now();
    const { vga } = this.#emulator.v86.cpu.devices;
    try {
      // Drawing is what costs: not for nobody.
      if (this.#watched && vga.graphical_mode && vga.image_data) vga.screen_fill_buffer();
      else vga.update_vertical_retrace();
      this.#send();
    } catch (error) {
      // A guest may set the registers to what no monitor would show.
      if (!this.#failed) console.warn("The screen could not be drawn", error);
      this.#failed = true;
    }
  }

  #send(): void {
    if (!this.#watched || !this.#pageReady) return;
    const source = this.#graphical ? this.#frame : this.#text;
    if (!source.hasChanged) return;
    const update = source.take();
    this.#pageReady = false;
    this.#port?.postMessage(update, [update.kind === "text" ? update.cells.buffer : update.pixels.buffer]);
  }

  #receive(request: ScreenRequest): void {
    switch (request.kind) {
      case "watch":
        this.#watched = true;
        this.#pageReady = true;
        this.#text.touch();
        this.#frame.touch();
        // What was drawn while nobody looked.
        if (this.#graphical) this.#emulator.v86.cpu.devices.vga.complete_redraw();
        this.#look();
        return;
      case "unwatch":
        this.#watched = false;
        return;
      case "ready":
        this.#pageReady = true;
        this.#lookIn(Math.max(0, this.#lastLook + FRAME_MS - performance.now()));
        return;
      default:
        this.input.receive(request);
    }
  }

  #adapter(): V86ScreenAdapter {
    const text = this.#text;
    return {
      FLAG_BLINKING: BLINKING,
      FLAG_FONT_PAGE_B: SECOND_FONT,
      put_char: (...cell) => text.putChar(...cell),
      set_mode: graphical => {
        this.#graphical = graphical;
        text.touch();
        this.#frame.touch();
      },
      set_size_text: (columns, rows) => text.resize(columns, rows),
      set_size_graphical: (width, height) => {
        if (width * height <= MAX_PIXELS) this.#frame = new ScreenFrame(width, height);
      },
      set_font_bitmap: (height, nineWide, _doubleWide, copiesEighth, glyphs) =>
        text.loadFont({ height, width: nineWide ? 9 : 8, copiesEighth }, glyphs),
      set_font_page: (first, second) => text.selectFonts(first, second),
      update_cursor: (row, column) => text.moveCursor(row, column),
      update_cursor_scanline: (start, end, visible) => text.shapeCursor(start, end, visible),
      update_buffer: (layers: readonly V86Layer[]) => this.#frame.draw(layers),
      clear_screen: () => this.#frame.clear(),
      clear_text_state: () => text.clear(),
      pause: () => {},
      continue: () => {},
      destroy: () => {},
    };
  }
}

/** While `call` runs, v86 makes its pictures of what it may be given: shared memory. */
function withSharedImages(call: () => void): void {
  const scope = globalThis as { ImageData?: unknown };
  const { ImageData: own } = scope;
  scope.ImageData = SharedImage;
  try {
    call();
  } finally {
    scope.ImageData = own;
  }
}
