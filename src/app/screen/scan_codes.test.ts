import { describe, expect, it } from "vitest";
import { chord, scanCodes, typed } from "./scan_codes.ts";

describe("scan codes of set 1", () => {
  it.each([
    ["Escape", [0x01]],
    ["Digit0", [0x0b]],
    ["Equal", [0x0d]],
    ["KeyP", [0x19]],
    ["Enter", [0x1c]],
    ["Backquote", [0x29]],
    ["Slash", [0x35]],
    ["ShiftRight", [0x36]],
    ["F10", [0x44]],
    ["ScrollLock", [0x46]],
    ["Numpad7", [0x47]],
    ["NumpadAdd", [0x4e]],
    ["NumpadDecimal", [0x53]],
    ["F12", [0x58]],
    ["ArrowUp", [0xe0, 0x48]],
    ["Delete", [0xe0, 0x53]],
    ["AltRight", [0xe0, 0x38]],
  ])("of %s when it is pressed", (code, make) => {
    expect(scanCodes(code, true)).toEqual(make);
    // Let go: the same with bit 7 of the last byte.
    expect(scanCodes(code, false)).toEqual([...make.slice(0, -1), (make.at(-1) ?? 0) | 0x80]);
  });

  it("of the two keys that are different", () => {
    expect(scanCodes("PrintScreen", true)).toEqual([0xe0, 0x2a, 0xe0, 0x37]);
    expect(scanCodes("PrintScreen", false)).toEqual([0xe0, 0xb7, 0xe0, 0xaa]);
    expect(scanCodes("Pause", true)).toEqual([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
    expect(scanCodes("Pause", false)).toEqual([]);
  });

  it("of keys that no PC has are none", () => {
    for (const code of ["", "BrowserBack", "toString", "__proto__"]) {
      expect(scanCodes(code, true)?.length ?? 0).toBe(0);
    }
  });

  it("of a chord come in one group", () => {
    expect(chord("ControlLeft", "AltLeft", "Delete")).toEqual([
      0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d,
    ]);
  });

  it("of a text are those of an American keyboard", () => {
    expect(typed("aB!\r\n€")).toEqual([
      [0x1e, 0x9e],
      [0x2a, 0x30, 0xb0, 0xaa],
      [0x2a, 0x02, 0x82, 0xaa],
      [0x1c, 0x9c],
    ]);
    const all = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
    expect(typed(all)).toHaveLength(95);
    expect(new Set(typed(all).map(String)).size).toBe(95);
  });
});
