/** Code page 437, the character set of a PC's screen, in Unicode. */

/** 00h–1Fh and 7Fh are pictures on the screen. */
const LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const HIGH =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

const characters: readonly string[] = [
  ...LOW,
  ...Array.from({ length: 0x5f }, (_, index) => String.fromCharCode(0x20 + index)),
  "⌂",
  ...HIGH,
];

/** The character with this number, 0 to 255. */
export const characterOf = (number: number): string => characters[number & 0xff];
