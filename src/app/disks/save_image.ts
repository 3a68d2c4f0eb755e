/** Where an exported image goes: into a file that the user chooses, or else among the downloads. */
import type { DiskCatalogue, TransferOptions } from "../../machine/api.ts";
import { saveAs } from "../save_as.ts";

/** Not in TypeScript's types yet; Chromium has it, other browsers do not. */
type SaveFilePicker = (options: { readonly suggestedName: string }) => Promise<FileSystemFileHandle>;

/**
 * Asks for a file where the browser can write into one. Must be called in the user's click. Undefined stands for a
 * download, "cancelled" for a user who changed their mind.
 */
export async function chooseFile(
  suggestedName: string,
): Promise<FileSystemFileHandle | undefined | "cancelled"> {
  const { showSaveFilePicker } = window as { showSaveFilePicker?: SaveFilePicker };
  if (!showSaveFilePicker) return undefined;
  try {
    return await showSaveFilePicker({ suggestedName });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return "cancelled";
    throw error;
  }
}

/** Exports a disk into `file`, or downloads it under `fileName`. */
export async function saveImage(
  catalogue: DiskCatalogue,
  name: string,
  fileName: string,
  file: FileSystemFileHandle | undefined,
  options: TransferOptions,
): Promise<void> {
  const image = await catalogue.exportImage(name, { ...options, file });
  if (image === undefined) return;
  saveAs(image, fileName);
}
