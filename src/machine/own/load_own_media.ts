import type { HandedKernel } from "../v86/emulator.ts";
import { loadWhole } from "./load_whole.ts";
import {
  asFloppy,
  checkInitrdFits,
  checkKernel,
  type ImageSource,
  MAX_FLOPPY_BYTES,
  MAX_KERNEL_BYTES,
  type OwnMachine,
  problemOf,
  sourceName,
} from "./own_machine.ts";

/** What goes into the machine as a whole: a floppy disk, or a kernel with what belongs to it. */
export interface OwnMedia {
  readonly floppy: ArrayBuffer | undefined;
  readonly kernel: HandedKernel | undefined;
}

/** Loads them. Rejects with a sentence if one cannot be had or is not what it should be. */
export async function loadOwnMedia(
  machine: OwnMachine,
  memoryMiB: number,
  onProgress: (loaded: number, total: number) => void,
): Promise<OwnMedia> {
  const problem = problemOf(machine);
  if (problem !== undefined) throw new Error(problem);
  const sums = new Map<ImageSource, readonly [number, number]>();
  const load = async (source: ImageSource | undefined, mostBytes: number) =>
    source &&
    (await loadWhole(source, mostBytes, (loaded, total) => {
      sums.set(source, [loaded, total ?? loaded]);
      const parts = [...sums.values()];
      onProgress(
        parts.reduce((sum, [part]) => sum + part, 0),
        parts.reduce((sum, [, whole]) => sum + whole, 0),
      );
    }));
  const { floppy, kernel, initrd, commandLine } = machine;
  const [disk, image, files] = await Promise.all([
    load(floppy, MAX_FLOPPY_BYTES),
    load(kernel, MAX_KERNEL_BYTES),
    load(initrd, MAX_KERNEL_BYTES),
  ]);
  if (kernel && image) checkKernel(sourceName(kernel), image);
  checkInitrdFits(files?.byteLength ?? 0, memoryMiB);
  return {
    floppy: floppy && disk && asFloppy(sourceName(floppy), disk),
    kernel: image && { image, initrd: files, commandLine },
  };
}
