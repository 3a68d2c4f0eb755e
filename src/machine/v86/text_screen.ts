import {
  BLINKING,
  CELL_WORDS,
  GLYPH_BYTES,
  type ScreenFont,
  SECOND_FONT,
  type TextCursor,
  type TextUpdate,
} from "../screen_protocol.ts";

const FONT_BYTES = 256 * GLYPH_BYTES;

/** The screen of a text mode, as the VGA says it is. */
export class TextScreen {
  #columns = 80;
  #rows = 25;
  #cells = new Uint32Array(80 * 25 * CELL_WORDS);
  #cursor: TextCursor = { row: 0, column: 0, startLine: 14, endLine: 16 };
  #font: ScreenFont | undefined;
  #fonts = [0, 0] as const as readonly [number, number];
  #glyphs: Uint8Array = new Uint8Array(8 * FONT_BYTES);
  /** Something is to be sent, and the font too. */
  hasChanged = true;
  #fontChanged = true;

  putChar(row: number, column: number, character: number, flags: number, bg: number, fg: number): void {
    if (!(row >= 0 && row < this.#rows && column >= 0 && column < this.#columns)) return;
    const at = (row * this.#columns + column) * CELL_WORDS;
    this.#cells[at] = (character & 0xff) | (flags & (BLINKING | SECOND_FONT));
    this.#cells[at + 1] = bg;
    this.#cells[at + 2] = fg;
    this.hasChanged = true;
  }

  resize(columns: number, rows: number): void {
    if (columns === this.#columns && rows === this.#rows) return;
    this.#columns = columns;
    this.#rows = rows;
    this.#cells = new Uint32Array(columns * rows * CELL_WORDS);
    this.hasChanged = true;
  }

  clear(): void {
    this.#cells.fill(0);
    this.hasChanged = true;
  }

  moveCursor(row: number, column: number): void {
    this.#cursor = { ...this.#cursor, row, column };
    this.hasChanged = true;
  }

  shapeCursor(start: number, end: number, visible: boolean): void {
    this.#cursor = { ...this.#cursor, startLine: start, endLine: visible ? end + 1 : start };
    this.hasChanged = true;
  }

  loadFont(font: Pick<ScreenFont, "height" | "width" | "copiesEighth">, glyphs: Uint8Array): void {
    const { height, width, copiesEighth } = font;
    this.#font = { height: Math.min(GLYPH_BYTES, height), width, copiesEighth, ...this.#pages(glyphs) };
    this.#glyphs = glyphs;
    this.#fontChanged = true;
    this.hasChanged = true;
  }

  selectFonts(first: number, second: number): void {
    this.#fonts = [first, second];
    if (this.#font) this.loadFont(this.#font, this.#glyphs);
  }

  #pages(glyphs: Uint8Array): Pick<ScreenFont, "first" | "second"> {
    const [first, second] = this.#fonts.map(font =>
      Uint8Array.from(glyphs.subarray(font * FONT_BYTES, (font + 1) * FONT_BYTES)),
    );
    return { first, second };
  }

  /** All is to be sent. */
  touch(): void {
    this.hasChanged = true;
    this.#fontChanged = true;
  }

  /** The screen as it is; it counts as sent then. */
  take(): TextUpdate {
    const font = this.#fontChanged ? this.#font : undefined;
    this.hasChanged = false;
    this.#fontChanged = false;
    return {
      kind: "text",
      columns: this.#columns,
      rows: this.#rows,
      cells: this.#cells.slice(),
      cursor: this.#cursor,
      ...(font && { font }),
    };
  }
}
