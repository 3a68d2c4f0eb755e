/** An image up to this size is looked at as a whole. */
const WHOLE_BYTES = 16 * 2 ** 20;
/** Of a larger one: so much of its begin and of its end, where file systems say when they were made, … */
const END_BYTES = 2 ** 20;
/** … and so many pieces of this size, evenly over what is between. */
const PIECES = 64;
const PIECE_BYTES = 65_536;

/** What tells a file's content from another's, as a few words: its size, and a hash. Rejects with a sentence if it cannot be read. */
export async function fingerprint(name: string, file: Blob): Promise<string> {
  const content = await sampleOf(file)
    .arrayBuffer()
    .catch((error: unknown) => {
      throw new Error(`${name} could not be read: the file was moved, deleted or changed. Choose it again.`, {
        cause: error,
      });
    });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  const hash = Array.from(digest.subarray(0, 8), byte => byte.toString(16).padStart(2, "0")).join("");
  return `${file.size} bytes, ${hash}`;
}

function sampleOf(file: Blob): Blob {
  if (file.size <= WHOLE_BYTES) return file;
  const step = Math.floor((file.size - 2 * END_BYTES) / PIECES);
  const pieces = Array.from({ length: PIECES }, (_, index) => {
    const at = END_BYTES + index * step;
    return file.slice(at, at + PIECE_BYTES);
  });
  return new Blob([file.slice(0, END_BYTES), ...pieces, file.slice(file.size - END_BYTES)]);
}
