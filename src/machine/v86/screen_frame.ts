import type { PixelUpdate } from "../screen_protocol.ts";
import type { V86Layer } from "./seams.ts";

const OPAQUE = 0xff000000;

/** The picture of a graphics mode: what v86's layers come to, and which rows have changed since they were taken. */
export class ScreenFrame {
  readonly width: number;
  readonly height: number;
  readonly #pixels: Uint32Array<ArrayBuffer>;
  #top: number;
  #bottom: number;

  /** Black. */
  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#pixels = new Uint32Array(width * height).fill(OPAQUE);
    this.#top = 0;
    this.#bottom = height;
  }

  get hasChanged(): boolean {
    return this.#top < this.#bottom;
  }

  /** All of it is to be sent. */
  touch(): void {
    this.#top = 0;
    this.#bottom = this.height;
  }

  clear(): void {
    this.#pixels.fill(OPAQUE);
    this.touch();
  }

  /** Copies what shows of the layers out of the wasm memory, whose pixels change while others look at them. */
  draw(layers: readonly V86Layer[]): void {
    for (const layer of layers) this.#drawLayer(layer);
  }

  #drawLayer(layer: V86Layer): void {
    const { image_data: image, screen_x, screen_y, buffer_x, buffer_y } = layer;
    const source = new Uint32Array(image.data.buffer, image.data.byteOffset, image.data.byteLength >> 2);
    const dx = screen_x - buffer_x;
    const dy = screen_y - buffer_y;
    const left = Math.max(buffer_x, 0, -dx);
    const right = Math.min(buffer_x + layer.buffer_width, image.width, this.width - dx);
    const first = Math.max(buffer_y, 0, -dy);
    const end = Math.min(buffer_y + layer.buffer_height, image.height, this.height - dy);
    for (let y = first; y < end; y++) {
      const from = y * image.width;
      const to = (y + dy) * this.width + dx;
      if (this.#drawRow(source, from, to, left, right)) {
        this.#top = Math.min(this.#top, y + dy);
        this.#bottom = Math.max(this.#bottom, y + dy + 1);
      }
    }
  }

  #drawRow(source: Uint32Array, from: number, to: number, left: number, right: number): boolean {
    const pixels = this.#pixels;
    let changed = false;
    for (let x = left; x < right; x++) {
      const pixel = (source[from + x] | OPAQUE) >>> 0;
      if (pixels[to + x] === pixel) continue;
      pixels[to + x] = pixel;
      changed = true;
    }
    return changed;
  }

  /** The rows that have changed; they count as sent then. */
  take(): PixelUpdate {
    const { width, height } = this;
    const top = this.#top;
    const rows = this.#pixels.slice(top * width, this.#bottom * width);
    this.#top = height;
    this.#bottom = 0;
    return { kind: "pixels", width, height, top, pixels: new Uint8ClampedArray(rows.buffer) };
  }
}
