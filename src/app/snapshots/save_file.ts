/** Has the browser save a file among its downloads. */
export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun by then and holds the file itself.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
