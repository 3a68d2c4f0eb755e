/** The terminal's colours, one set for each colour scheme. Backgrounds equal the page's `--ground`. */
import type { ITheme } from "@xterm/xterm";

/** Names that the guest's programs use, so the hues are the customary ones, toned to be legible on the ground. */
const dark: ITheme = {
  background: "#14171a",
  foreground: "#d8dde2",
  cursor: "#e69f00",
  cursorAccent: "#14171a",
  selectionBackground: "#3d5a73",
  black: "#14171a",
  red: "#e8735f",
  green: "#5fbf8f",
  yellow: "#dcb354",
  blue: "#6fa8dc",
  magenta: "#c792c7",
  cyan: "#62bcc4",
  white: "#c3c9cf",
  brightBlack: "#7f8a94",
  brightRed: "#f3968a",
  brightGreen: "#86d9ae",
  brightYellow: "#efcf7c",
  brightBlue: "#98c4ee",
  brightMagenta: "#debade",
  brightCyan: "#8ed6dc",
  brightWhite: "#f4f6f8",
};

const light: ITheme = {
  background: "#ffffff",
  foreground: "#1d2227",
  cursor: "#8a5a00",
  cursorAccent: "#ffffff",
  selectionBackground: "#bcd8ef",
  black: "#1d2227",
  red: "#b3361f",
  green: "#0b6e4c",
  yellow: "#7d5c00",
  blue: "#1b5f9e",
  magenta: "#8a3f80",
  cyan: "#0c6872",
  white: "#4c555e",
  brightBlack: "#66707a",
  brightRed: "#c2412a",
  brightGreen: "#107a56",
  brightYellow: "#8a6600",
  brightBlue: "#256cad",
  brightMagenta: "#994c8f",
  brightCyan: "#117580",
  brightWhite: "#2d343b",
};

export function terminalTheme(isDark: boolean): ITheme {
  return isDark ? dark : light;
}
