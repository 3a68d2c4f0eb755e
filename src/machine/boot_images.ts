import type { MachineSettings } from "./api.ts";
import { type ImageProgress, ImageStore } from "./images.ts";
import { commandLineOf } from "./snapshots/shipped_snapshot.ts";
import type { HandedKernel } from "./v86/emulator.ts";

/** The hash of the manifest, from the build: a running page never meets the images of another version. */
const IMAGES_QUERY: string = import.meta.env.VITE_IMAGES_QUERY ?? "";

/** The images that are shipped with the page, and what a boot of the built-in machine takes of them. */
export class BootImages {
  readonly #settings: MachineSettings;
  readonly #onProgress: ImageProgress;
  #store: Promise<ImageStore> | undefined;

  constructor(settings: MachineSettings, onProgress: ImageProgress) {
    this.#settings = settings;
    this.#onProgress = onProgress;
  }

  /** One store for all boots; after a failure the next call tries again. */
  open(): Promise<ImageStore> {
    this.#store ??= ImageStore.open(
      new URL(`${import.meta.env.BASE_URL}images/manifest.json${IMAGES_QUERY}`, location.href),
      this.#onProgress,
    );
    this.#store.catch(() => {
      this.#store = undefined;
    });
    return this.#store;
  }

  /** The kernel with its initramfs and command line, as a bootloader would hand them over. */
  async handedKernel(): Promise<HandedKernel> {
    const images = await this.open();
    const [image, ...archives] = await Promise.all(
      this.#settings.network === ""
        ? [images.get("kernel"), images.get("initramfs")]
        : [images.get("networkKernel"), images.get("initramfs"), images.get("network")],
    );
    return {
      image,
      // The kernel unpacks one archive after the other; what a later one has again counts.
      initrd: await new Blob(archives).arrayBuffer(),
      commandLine: commandLineOf(images.manifest, this.#settings),
    };
  }
}
