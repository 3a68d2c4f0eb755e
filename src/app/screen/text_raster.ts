/** Draws the characters of a text screen as a VGA does: with the guest's own font, pixel by pixel. */
import {
  BLINKING,
  CELL_WORDS,
  GLYPH_BYTES,
  type ScreenFont,
  SECOND_FONT,
  type TextUpdate,
} from "../../machine/screen_protocol.ts";
import { characterOf } from "./code_page.ts";

/** A picture of R, G, B, A in memory order. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array<ArrayBuffer>;
}

/** In pixels. */
export function textSize({ columns, rows }: TextUpdate, font: ScreenFont): { width: number; height: number } {
  return { width: columns * font.width, height: rows * font.height };
}

/** Draws all cells into `picture`, which has the screen's size. `blinkOn`: blinking characters and the cursor show. */
export function drawText(picture: Picture, screen: TextUpdate, font: ScreenFont, blinkOn: boolean): void {
  const { columns, rows, cells, cursor } = screen;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (row * columns + column) * CELL_WORDS;
      const hidden = !blinkOn && (cells[at] & BLINKING) !== 0;
      const top = row * font.height * picture.width + column * font.width;
      drawGlyph(picture, top, hidden ? 0x20 : cells[at], abgr(cells[at + 1]), abgr(cells[at + 2]), font);
    }
  }
  if (blinkOn && cursor.row < rows && cursor.column < columns) drawCursor(picture, screen, font);
}

function drawGlyph(
  { pixels, width }: Picture,
  top: number,
  cell: number,
  background: number,
  foreground: number,
  font: ScreenFont,
): void {
  const character = cell & 0xff;
  const glyphs = (cell & SECOND_FONT) !== 0 ? font.second : font.first;
  const copies = font.copiesEighth && character >= 0xc0 && character <= 0xdf;
  for (let line = 0; line < font.height; line++) {
    const bits = glyphs[character * GLYPH_BYTES + line];
    const at = top + line * width;
    for (let x = 0; x < 8; x++) pixels[at + x] = (bits & (0x80 >> x)) === 0 ? background : foreground;
    if (font.width === 9) pixels[at + 8] = copies && (bits & 1) !== 0 ? foreground : background;
  }
}

function drawCursor(
  { pixels, width }: Picture,
  { columns, cells, cursor }: TextUpdate,
  font: ScreenFont,
): void {
  const colour = abgr(cells[(cursor.row * columns + cursor.column) * CELL_WORDS + 2]);
  for (let line = cursor.startLine; line < Math.min(cursor.endLine, font.height); line++) {
    const at = (cursor.row * font.height + line) * width + cursor.column * font.width;
    pixels.fill(colour, at, at + font.width);
  }
}

/** Of 0xRRGGBB, as a word of a picture (little-endian). */
const abgr = (rgb: number): number =>
  (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | ((rgb >> 16) & 0xff)) >>> 0;

/** The screen's lines as text, without the blanks at their ends. */
export function linesOf({ columns, rows, cells }: TextUpdate): string[] {
  return Array.from({ length: rows }, (_, row) => {
    let line = "";
    for (let column = 0; column < columns; column++) {
      line += characterOf(cells[(row * columns + column) * CELL_WORDS]);
    }
    return line.replace(/[\s ]+$/, "");
  });
}

/** Does anything on the screen blink? */
export function blinks({ cells, cursor }: TextUpdate): boolean {
  if (cursor.startLine < cursor.endLine) return true;
  for (let at = 0; at < cells.length; at += CELL_WORDS) if ((cells[at] & BLINKING) !== 0) return true;
  return false;
}
