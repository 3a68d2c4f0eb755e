/** The header of a qcow2 image: docs/interop/qcow2.txt of QEMU. All fields are big endian. */
import { ImageError } from "./image_source.ts";

/** Bytes of the header that are looked at. */
export const QCOW2_HEADER_BYTES = 112;
/** QEMU's own limit (QCOW_MAX_L1_SIZE), in bytes. */
const MAX_L1_BYTES = 32 << 20;

const Incompatible = { dirty: 0, corrupt: 1, externalData: 2, compressionType: 3, extendedL2: 4 } as const;
/** Incompatible features with which the image can be read all the same. */
const readable = (1n << BigInt(Incompatible.dirty)) | (1n << BigInt(Incompatible.compressionType));

export interface Qcow2Header {
  readonly version: 2 | 3;
  /** Size of the disk in bytes. */
  readonly byteLength: number;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Where the L1 table is in the file, and how many of its entries are needed for the disk. */
  readonly l1Offset: number;
  readonly l1Entries: number;
}

/** Reads and checks the header of a file of `fileBytes`; throws ImageError. */
export function parseQcow2Header(bytes: Uint8Array, fileBytes: number): Qcow2Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 72) throw damaged("it ends within its header");
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) {
    throw new ImageError(
      `This is qcow version ${version}; versions 2 and 3 can be read. Convert it first: qemu-img convert -O raw IMAGE disk.img`,
    );
  }
  if (view.getBigUint64(8) !== 0n) {
    throw new ImageError(
      "This qcow2 image holds only what differs from a backing file. Join the two first: qemu-img convert -O raw IMAGE disk.img",
    );
  }
  const clusterBits = view.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21) throw damaged(`its clusters would have 2^${clusterBits} bytes`);
  if (view.getUint32(32) !== 0) {
    throw new ImageError(
      "This qcow2 image is encrypted. Decrypt it first: qemu-img convert -O raw with the key in --object secret,…",
    );
  }
  if (version === 3) checkFeatures(view);

  const clusterBytes = 2 ** clusterBits;
  const byteLength = safeNumber(view.getBigUint64(24), "the size of its disk");
  const l1Entries = Math.ceil(byteLength / (clusterBytes * (clusterBytes / 8)));
  const l1Offset = safeNumber(view.getBigUint64(40), "the place of its L1 table");
  if (byteLength === 0) throw new ImageError("The disk in this qcow2 image has no bytes.");
  if (l1Entries > view.getUint32(36)) throw damaged("its L1 table is too short for its disk");
  if (l1Entries * 8 > MAX_L1_BYTES) throw damaged("its L1 table would be larger than 32 MiB");
  if (l1Offset % clusterBytes !== 0 || l1Offset === 0 || l1Offset + l1Entries * 8 > fileBytes) {
    throw damaged("its L1 table lies outside the file");
  }
  return { version, byteLength, clusterBits, clusterBytes, l1Offset, l1Entries };
}

function checkFeatures(view: DataView): void {
  if (view.byteLength < 104) throw damaged("it ends within its header");
  const headerBytes = view.getUint32(100);
  if (headerBytes < 104) throw damaged(`its header would have ${headerBytes} bytes`);
  const features = view.getBigUint64(72);
  const has = (bit: number) => (features & (1n << BigInt(bit))) !== 0n;
  if (has(Incompatible.corrupt)) {
    throw new ImageError(
      "This qcow2 image is marked as corrupt. Repair it first: qemu-img check -r all IMAGE",
    );
  }
  if (has(Incompatible.externalData)) {
    throw new ImageError(
      "This qcow2 image keeps its data in another file. Join the two first: qemu-img convert -O raw IMAGE disk.img",
    );
  }
  if (has(Incompatible.extendedL2)) {
    throw new ImageError(
      "This qcow2 image has subclusters (extended_l2), which cannot be read here. Convert it first: qemu-img convert -O raw IMAGE disk.img",
    );
  }
  if ((features & ~readable) !== 0n) {
    throw new ImageError(
      "This qcow2 image needs features that cannot be read here. Convert it first: qemu-img convert -O raw IMAGE disk.img",
    );
  }
  if (!has(Incompatible.compressionType)) return;
  const compression = headerBytes > 104 && view.byteLength > 104 ? view.getUint8(104) : 0;
  if (compression !== 0) {
    throw new ImageError(
      `This qcow2 image is compressed with ${compression === 1 ? "zstd" : `method ${compression}`}; only zlib can be read here. Convert it first: qemu-img convert -O raw IMAGE disk.img`,
    );
  }
}

function safeNumber(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`${what} cannot be ${value}`);
  return Number(value);
}

/** The image contradicts itself. */
export function damaged(how: string): ImageError {
  return new ImageError(`This qcow2 image is damaged: ${how}. Check it with “qemu-img check IMAGE”.`);
}
