/**
 * Keys as a PC's keyboard names them: scan codes of set 1, by the names that browsers have for the places of keys
 * (KeyboardEvent.code). What is on the keys is the guest's own affair: its keyboard layout.
 */

/** Keys that begin with E0h are written as E0xxh. */
const makeCodes: Readonly<Record<string, number>> = {
  Escape: 0x01,
  ...inOrder(0x02, "Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal"),
  Backspace: 0x0e,
  Tab: 0x0f,
  ...inOrder(0x10, "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter"),
  ControlLeft: 0x1d,
  ...inOrder(0x1e, "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote"),
  ShiftLeft: 0x2a,
  ...inOrder(0x2b, "Backslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight"),
  NumpadMultiply: 0x37,
  AltLeft: 0x38,
  Space: 0x39,
  CapsLock: 0x3a,
  ...inOrder(0x3b, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock"),
  ...inOrder(0x47, "Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd"),
  ...inOrder(0x4f, "Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal"),
  IntlBackslash: 0x56,
  F11: 0x57,
  F12: 0x58,
  KanaMode: 0x70,
  IntlRo: 0x73,
  Convert: 0x79,
  NonConvert: 0x7b,
  IntlYen: 0x7d,
  NumpadComma: 0x7e,
  NumpadEnter: 0xe01c,
  ControlRight: 0xe01d,
  NumpadDivide: 0xe035,
  AltRight: 0xe038,
  Home: 0xe047,
  ArrowUp: 0xe048,
  PageUp: 0xe049,
  ArrowLeft: 0xe04b,
  ArrowRight: 0xe04d,
  End: 0xe04f,
  ArrowDown: 0xe050,
  PageDown: 0xe051,
  Insert: 0xe052,
  Delete: 0xe053,
  MetaLeft: 0xe05b,
  MetaRight: 0xe05c,
  ContextMenu: 0xe05d,
};

function inOrder(first: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(" ").map((name, index) => [name, first + index]));
}

/** These two send sequences of their own; Pause all of it when it is pressed. */
const PRINT_SCREEN = { down: [0xe0, 0x2a, 0xe0, 0x37], up: [0xe0, 0xb7, 0xe0, 0xaa] } as const;
const PAUSE = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5] as const;
const BREAK = 0x80;

/** The bytes for a key that goes down or up; undefined for one that no PC has. */
export function scanCodes(code: string, down: boolean): readonly number[] | undefined {
  if (code === "PrintScreen") return down ? PRINT_SCREEN.down : PRINT_SCREEN.up;
  if (code === "Pause") return down ? PAUSE : [];
  const make = Object.hasOwn(makeCodes, code) ? makeCodes[code] : undefined;
  if (make === undefined) return undefined;
  const last = (make & 0xff) | (down ? 0 : BREAK);
  return make > 0xff ? [make >> 8, last] : [last];
}

/** Keys pressed together and let go again, in one group: the guest gets all of it before anything else. */
export function chord(...codes: readonly string[]): readonly number[] {
  return [
    ...codes.flatMap(code => scanCodes(code, true) ?? []),
    ...codes.toReversed().flatMap(code => scanCodes(code, false) ?? []),
  ];
}

const PLAIN = "`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./ \n\t";
const SHIFTED = '~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"ZXCVBNM<>?';
const CODES = (
  "Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal " +
  "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash " +
  "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote " +
  "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash Space Enter Tab"
).split(" ");

/** The key strokes for a text, a group each, on an American keyboard. Characters that it does not have are left out. */
export function typed(text: string): readonly (readonly number[])[] {
  return Array.from(text.replace(/\r\n?/g, "\n")).flatMap(character => {
    const plain = PLAIN.indexOf(character);
    if (plain >= 0) return [chord(CODES[plain])];
    const shifted = SHIFTED.indexOf(character);
    return shifted >= 0 ? [chord("ShiftLeft", CODES[shifted])] : [];
  });
}
