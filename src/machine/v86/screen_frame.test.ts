import { describe, expect, it } from "vitest";
import { ScreenFrame } from "./screen_frame.ts";
import type { V86Image, V86Layer } from "./seams.ts";

/** A picture in shared memory, whose pixels are their places: row × 16 + column, without alpha. */
function picture(width: number, height: number): V86Image {
  const data = new Uint8ClampedArray(new SharedArrayBuffer(width * height * 4));
  const words = new Uint32Array(data.buffer);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) words[y * width + x] = y * 16 + x;
  return { data, width, height };
}

function layer(image: V86Image, part: Partial<V86Layer> = {}): V86Layer {
  const { width, height } = image;
  return {
    image_data: image,
    screen_x: 0,
    screen_y: 0,
    buffer_x: 0,
    buffer_y: 0,
    buffer_width: width,
    buffer_height: height,
    ...part,
  };
}

/** The frame's rows that have changed, without alpha, which must be full. */
function taken(frame: ScreenFrame): { top: number; rows: number[][] } {
  const { top, pixels, width } = frame.take();
  const words = [...new Uint32Array(pixels.buffer)];
  expect(words.every(word => word >>> 24 === 0xff)).toBe(true);
  const rows = Array.from({ length: words.length / width }, (_, y) =>
    words.slice(y * width, (y + 1) * width).map(word => word & 0xffffff),
  );
  return { top, rows };
}

describe("ScreenFrame", () => {
  it("copies a layer out of shared memory", () => {
    const frame = new ScreenFrame(3, 2);
    frame.draw([layer(picture(3, 2))]);
    const { pixels } = frame.take();
    expect(pixels.buffer).toBeInstanceOf(ArrayBuffer);
    expect([...new Uint32Array(pixels.buffer)].map(word => word & 0xffff)).toEqual([0, 1, 2, 16, 17, 18]);
  });

  it("sends only the rows that have changed", () => {
    const frame = new ScreenFrame(4, 4);
    const image = picture(4, 4);
    frame.draw([layer(image)]);
    frame.take();
    frame.draw([layer(image)]);
    expect(frame.hasChanged).toBe(false);
    new Uint32Array(image.data.buffer)[2 * 4 + 1] = 7;
    frame.draw([layer(image)]);
    expect(taken(frame)).toEqual({ top: 2, rows: [[32, 7, 34, 35]] });
    frame.touch();
    expect(taken(frame).rows).toHaveLength(4);
  });

  it("shows a window of a larger picture, panned and split as a VGA does", () => {
    const frame = new ScreenFrame(2, 3);
    const image = picture(4, 4);
    frame.draw([
      layer(image, { screen_x: -1, buffer_y: 2, buffer_height: 2 }),
      layer(image, { screen_x: -1, screen_y: 2, buffer_height: 1 }),
    ]);
    expect(taken(frame).rows).toEqual([
      [33, 34],
      [49, 50],
      [1, 2],
    ]);
  });

  it("never leaves the screen or the picture, whatever a guest's registers ask for", () => {
    const frame = new ScreenFrame(2, 2);
    const image = picture(3, 3);
    const far = 1e9;
    for (const part of [
      { screen_x: far, screen_y: far },
      { screen_x: -far, screen_y: -far },
      { buffer_x: far, buffer_y: -far, buffer_width: far, buffer_height: far },
      { buffer_width: -5, buffer_height: -5 },
      { buffer_width: far, buffer_height: far },
    ]) {
      expect(() => frame.draw([layer(image, part)])).not.toThrow();
    }
    expect(taken(frame).rows).toEqual([
      [0, 1],
      [16, 17],
    ]);
  });
});
