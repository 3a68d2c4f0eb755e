import { hashInUrl } from "../offline/version.ts";
import { gunzipIfPacked } from "./gunzip.ts";
import type { ShippedSnapshot } from "./snapshots/shipped_snapshot.ts";

/** The images that a machine boots from, as public/images/manifest.json lists them. */
export type ImageName = "kernel" | "initramfs" | "rootfs" | "bios" | "vgabios" | "networkKernel" | "network";

/** A machine that has booted, and what is on its system disk over the image `rootfs`. */
export type SnapshotImageName = "snapshot" | "systemChanges";

export interface ImageEntry {
  readonly path: string;
  /** Of the decoded bytes, with embedded images in their places. */
  readonly sha256: string;
  /** Other images that are part of this one at a byte offset, where the packed file has zeroes. */
  readonly embeds?: readonly { readonly image: ImageName; readonly offset: number }[];
  readonly size: number;
  readonly encoding: "identity" | "gzip";
  readonly encodedSize: number;
  /** Of the file as it is. */
  readonly encodedSha256: string;
}

export interface ImageManifest {
  readonly cmdline: string;
  readonly files: Readonly<Record<ImageName, ImageEntry> & Partial<Record<SnapshotImageName, ImageEntry>>>;
  /** What the image `snapshot` is a snapshot of; absent where none was made. */
  readonly snapshot?: ShippedSnapshot;
}

/** Bytes received so far, over all images of a boot, and the bytes expected. */
export type ImageProgress = (loaded: number, total: number) => void;

/** Fetches images and checks them against the manifest: what does not match its SHA-256 is never booted. */
export class ImageStore {
  readonly manifest: ImageManifest;
  readonly #url: URL;
  readonly #onProgress: ImageProgress;
  readonly #images = new Map<ImageName | SnapshotImageName, Promise<ArrayBuffer>>();
  #loaded = 0;
  #total = 0;

  private constructor(url: URL, manifest: ImageManifest, onProgress: ImageProgress) {
    this.#url = url;
    this.manifest = manifest;
    this.#onProgress = onProgress;
  }

  /** `url` is the manifest's; the images are beside it. */
  static async open(url: URL, onProgress: ImageProgress): Promise<ImageStore> {
    const response = await fetchOk(url);
    const manifest = (await response.json()) as ImageManifest & { readonly version: number };
    if (manifest.version !== 1) {
      throw new Error(
        `${url.pathname} has version ${manifest.version}; this page knows version 1. Reload the page.`,
      );
    }
    return new ImageStore(url, manifest, onProgress);
  }

  /** The decoded, verified bytes. Fetched once; later calls answer from memory. */
  get(name: ImageName | SnapshotImageName): Promise<ArrayBuffer> {
    let image = this.#images.get(name);
    if (!image) {
      const entry = this.manifest.files[name];
      if (!entry) return Promise.reject(new Error(`The manifest names no image “${name}”.`));
      image = this.#fetch(entry);
      this.#images.set(name, image);
      // A failed download may be tried again.
      image.catch(() => this.#images.delete(name));
    }
    return image;
  }

  /** Lets go of an image that is not needed again. */
  forget(name: ImageName | SnapshotImageName): void {
    this.#images.delete(name);
  }

  async #fetch(entry: ImageEntry): Promise<ArrayBuffer> {
    // With its hash: no cache on the way, and no newer version of the page, can have another image under that URL.
    const url = new URL(`${entry.path}?${hashInUrl(entry.encodedSha256)}`, this.#url);
    this.#total += entry.encodedSize;
    const response = await fetchOk(url);
    const received = new Uint8Array(await new Response(this.#counted(response, entry)).arrayBuffer());
    const bytes = entry.encoding === "gzip" ? await gunzipIfPacked(received) : received.buffer;
    for (const { image, offset } of entry.embeds ?? []) {
      const part = new Uint8Array(await this.get(image));
      // Zeroes that are missing are damage, which the hash tells.
      if (offset + part.length <= bytes.byteLength) new Uint8Array(bytes).set(part, offset);
    }
    const digest = hex(await crypto.subtle.digest("SHA-256", bytes));
    if (digest !== entry.sha256) {
      throw new Error(
        `${entry.path} is damaged: its SHA-256 is ${digest.slice(0, 16)}… where the manifest says ` +
          `${entry.sha256.slice(0, 16)}…. Reload the page; if that does not help, build the images anew (guest/README.md).`,
      );
    }
    return bytes;
  }

  /** The body, with its bytes counted; scaled to the encoded size where the browser has unpacked it. */
  #counted(response: Response, entry: ImageEntry): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (!response.body) throw new Error(`${entry.path} came without a body. Reload the page.`);
    let counted = 0;
    const count = (bytes: number) => {
      const next = Math.min(entry.encodedSize, counted + bytes);
      this.#loaded += next - counted;
      counted = next;
      this.#onProgress(this.#loaded, this.#total);
    };
    return response.body.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          count(chunk.length);
          controller.enqueue(chunk);
        },
        flush: () => count(entry.encodedSize),
      }),
    );
  }
}

async function fetchOk(url: URL): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new Error(`${url.pathname} could not be fetched. Check that the server still runs, then restart.`, {
      cause: error,
    });
  }
  if (!response.ok) {
    throw new Error(
      `${url.pathname} could not be fetched: the server says ${response.status} ${response.statusText}.`,
    );
  }
  return response;
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, "0")).join("");
}
