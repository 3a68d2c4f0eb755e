import { describe, expect, it } from "vitest";
import { BLINKING, type ScreenFont, type TextUpdate } from "../../machine/screen_protocol.ts";
import { characterOf } from "./code_page.ts";
import { blinks, drawText, linesOf, type Picture, textSize } from "./text_raster.ts";

/** A font of two lines, whose glyph has its number's bits in the first line and a full second one. */
function font(width: 8 | 9): ScreenFont {
  const first = new Uint8Array(256 * 32);
  for (let character = 0; character < 256; character++) {
    first[character * 32] = character;
    first[character * 32 + 1] = character === 0x20 ? 0 : 0xff;
  }
  return { height: 2, width, copiesEighth: width === 9, first, second: new Uint8Array(256 * 32) };
}

function screen(text: string, flags = 0): TextUpdate {
  const cells = Uint32Array.from(
    Array.from(text).flatMap(c => [c.charCodeAt(0) | flags, 0x0000aa, 0xff8000]),
  );
  return {
    kind: "text",
    columns: text.length,
    rows: 1,
    cells,
    cursor: { row: 0, column: 0, startLine: 1, endLine: 1 },
  };
}

function draw(text: TextUpdate, with_: ScreenFont, blinkOn = true): string[] {
  const size = textSize(text, with_);
  const picture: Picture = { ...size, pixels: new Uint32Array(size.width * size.height) };
  drawText(picture, text, with_, blinkOn);
  const names = new Map([
    [0xffaa0000, "."],
    [0xff0080ff, "#"],
  ]);
  return Array.from({ length: size.height }, (_, y) =>
    Array.from(picture.pixels.subarray(y * size.width, (y + 1) * size.width), p => names.get(p) ?? "?").join(
      "",
    ),
  );
}

describe("a text screen", () => {
  it("is drawn with the guest's font, a line's first pixel from bit 7", () => {
    expect(draw(screen("A\x01"), font(8))).toEqual([".#.....#.......#", "################"]);
  });

  it("has a ninth column, which only line-drawing characters fill", () => {
    expect(draw(screen("A\xc1"), font(9))).toEqual([".#.....#.##.....##", "########.#########"]);
  });

  it("hides what blinks every other time", () => {
    const blinking = screen("A", BLINKING);
    expect(draw(blinking, font(8), true)[1]).toBe("########");
    expect(draw(blinking, font(8), false)[1]).toBe("........");
    expect([blinks(blinking), blinks(screen("A"))]).toEqual([true, false]);
  });

  it("shows the cursor in the colour of its character", () => {
    const text = { ...screen("  "), cursor: { row: 0, column: 1, startLine: 1, endLine: 2 } };
    expect(draw(text, font(8))[1]).toBe("........########");
    expect(draw({ ...text, cursor: { ...text.cursor, row: 7 } }, font(8))[1]).toBe("................");
  });

  it("can be read as text, in code page 437", () => {
    expect(linesOf(screen("\xc9\xcd\xbb A\x00 "))).toEqual(["╔═╗ A"]);
    const all = Array.from({ length: 256 }, (_, number) => characterOf(number));
    expect(all.every(character => Array.from(character).length === 1)).toBe(true);
    expect(all.slice(0x20, 0x7f).join("")).toBe(
      Array.from({ length: 0x5f }, (_, index) => String.fromCharCode(0x20 + index)).join(""),
    );
    expect([all[0xe1], all[0xb0], all[0xdb], all[0xfe], all[0x7f], all[1]]).toEqual([..."ß░█■⌂☺"]);
  });
});
