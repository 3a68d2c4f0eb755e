/** Images that are dropped on the page. Whoever takes a drop for something else, as a dialog does, stops its event. */

/** Calls `take` with the files of a drop that nothing else has taken. */
export function takeDroppedImages(take: (files: readonly File[]) => void): void {
  const isFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragover", event => {
    if (!isFiles(event) || event.defaultPrevented) return;
    // Without this the browser would leave the page for the file.
    event.preventDefault();
  });
  document.addEventListener("drop", event => {
    if (!isFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) take(files);
  });
}
