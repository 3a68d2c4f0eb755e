/** What the guest's screen, keyboard and mouse say to each other over a message port: the vCPU's worker and the page. */

/** Words of a cell in `cells`: its character and flags, background, foreground. */
export const CELL_WORDS = 3;
/** Flags, above the character's 8 bits in the first word. */
export const BLINKING = 1 << 8;
/** Drawn with the second of the two fonts. */
export const SECOND_FONT = 1 << 9;
/** Bytes of a glyph: one for each line, of which the font's height says how many count. */
export const GLYPH_BYTES = 32;

/** The fonts of text mode, as the guest (or its BIOS) has loaded them. */
export interface ScreenFont {
  /** Lines of a character, 1 to 32. */
  readonly height: number;
  /** Pixels of a character: 8, or 9 with a gap that line-drawing characters (C0h–DFh) fill. */
  readonly width: 8 | 9;
  readonly copiesEighth: boolean;
  /** 256 glyphs of GLYPH_BYTES each; a line's first pixel is bit 7. */
  readonly first: Uint8Array<ArrayBuffer>;
  readonly second: Uint8Array<ArrayBuffer>;
}

export interface TextCursor {
  readonly row: number;
  readonly column: number;
  /** Its first line within the character, and the one after its last; the same for none. */
  readonly startLine: number;
  readonly endLine: number;
}

/** The whole of a text screen. */
export interface TextUpdate {
  readonly kind: "text";
  readonly columns: number;
  readonly rows: number;
  /** CELL_WORDS for each cell, row by row; colours are 0xRRGGBB. */
  readonly cells: Uint32Array<ArrayBuffer>;
  readonly cursor: TextCursor;
  /** Absent if it is the one that was sent last. */
  readonly font?: ScreenFont;
}

/** Rows of pixels of a graphics screen. */
export interface PixelUpdate {
  readonly kind: "pixels";
  /** Of the screen. */
  readonly width: number;
  readonly height: number;
  /** The first row that is given; all that are not stay as they were, or black after a change of size. */
  readonly top: number;
  /** R, G, B, A, of whole rows. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

export type ScreenUpdate = TextUpdate | PixelUpdate;

/** What the user does. */
export type ScreenInput =
  /** Scan codes of set 1, in groups that belong to one key: a group is given once the guest has read the one before. */
  | { readonly kind: "keys"; readonly groups: readonly (readonly number[])[] }
  /** Counts of the mouse, to the right and down. */
  | { readonly kind: "move"; readonly x: number; readonly y: number }
  | { readonly kind: "buttons"; readonly left: boolean; readonly middle: boolean; readonly right: boolean }
  /** Notches, down is positive. */
  | { readonly kind: "wheel"; readonly notches: number };

/** From the page. */
export type ScreenRequest =
  /** Somebody looks: send all, and then what changes, one update for each "ready". */
  { readonly kind: "watch" } | { readonly kind: "ready" } | { readonly kind: "unwatch" } | ScreenInput;

/** The guest's screen, keyboard and mouse, as the page has them over all its boots. */
export interface MachineScreen {
  /** Calls `listener` at most once a frame until the returned function is called. One watcher at a time. */
  watch(listener: (update: ScreenUpdate) => void): () => void;
  send(input: ScreenInput): void;
}
