/**
 * What the workloads write: 512-byte lines of text that say what they are, so that every byte read back is known. The
 * guest makes the same lines with awk (`GENERATOR`).
 */
export const LINE_BYTES = 512;
/** The unit that a disk promises to write whole or not at all (NAWUPF): one physical block. */
export const BLOCK_BYTES = 4096;
const LINES = BLOCK_BYTES / LINE_BYTES;

/** One 512-byte line of a block's version: "<block> <version> <line> " over and over, with a newline at its end. */
function line(block: number, version: number, index: number): string {
  const record = `${String(block).padStart(7, "0")} ${String(version).padStart(7, "0")} ${index} `;
  return `${record.repeat(Math.ceil(LINE_BYTES / record.length)).slice(0, LINE_BYTES - 1)}\n`;
}

/** A block's content at a version. */
export function blockContent(block: number, version: number): Uint8Array {
  const lines = Array.from({ length: LINES }, (_, i) => line(block, version, i));
  return new TextEncoder().encode(lines.join(""));
}

/** Shell function `gen FIRST-BLOCK BLOCKS VERSION` for the guest: writes those blocks to its standard output. */
export const GENERATOR = `gen() {
  awk -v b=$1 -v n=$2 -v v=$3 'BEGIN {
    for (e = b + n; b < e; b++) for (i = 0; i < 8; i++) {
      s = sprintf("%07d %07d %d ", b, v, i); s = s s; s = s s; s = s s; s = s s; s = s s
      print substr(s, 1, 511)
    }
  }'
}`;
