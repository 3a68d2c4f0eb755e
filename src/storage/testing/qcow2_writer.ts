/** Makes qcow2 images for tests. */
import { deflateRawSync } from "node:zlib";

/** What a guest cluster of a test image is. */
export type Content = "absent" | "zero" | "plain" | "compressed";

export interface Recipe {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly byteLength: number;
  /** By guest cluster. */
  readonly clusters: readonly Content[];
  /** Bytes of the header's fields, put in last. */
  readonly patch?: (header: DataView) => void;
}

/** Content of a guest cluster: not all the same, so that shifted data shows. */
export function clusterData(index: number, clusterBytes: number): Uint8Array {
  return Uint8Array.from({ length: clusterBytes }, (_, i) => ((i * 7 + index * 31 + (i >> 8)) & 0xff) | 1);
}

/** A writer of its own, by the specification: header, L1, then L2 tables and data in the order of the disk. */
export function qcow2({ version, clusterBits, byteLength, clusters, patch }: Recipe) {
  const clusterBytes = 1 << clusterBits;
  const perL2 = clusterBytes / 8;
  const l1Size = Math.ceil(byteLength / (clusterBytes * perL2));
  const l1Clusters = Math.ceil((l1Size * 8) / clusterBytes);
  const parts: Uint8Array[] = [];
  let end = (1 + l1Clusters) * clusterBytes;
  const place = (bytes: Uint8Array, align: number) => {
    const at = Math.ceil(end / align) * align;
    parts.push(new Uint8Array(at - end), bytes);
    end = at + bytes.length;
    return at;
  };
  const l1 = new DataView(new ArrayBuffer(l1Clusters * clusterBytes));
  const expected = new Uint8Array(byteLength);
  for (let table = 0; table < l1Size; table++) {
    const contents = clusters.slice(table * perL2, (table + 1) * perL2);
    if (contents.every(content => content === "absent")) continue;
    const l2 = new DataView(new ArrayBuffer(clusterBytes));
    contents.forEach((content, i) => {
      const index = table * perL2 + i;
      if (index * clusterBytes >= byteLength) return;
      const data = clusterData(index, clusterBytes);
      if (content === "zero" && version === 3) l2.setBigUint64(i * 8, 1n);
      if (content === "plain") l2.setBigUint64(i * 8, BigInt(place(data, clusterBytes)) | (1n << 63n));
      if (content === "compressed") {
        const packed = deflateRawSync(data);
        const at = place(packed, 1);
        const sectors = Math.floor((at + packed.length - 1) / 512) - Math.floor(at / 512);
        const offsetBits = BigInt(62 - (clusterBits - 8));
        l2.setBigUint64(i * 8, (1n << 62n) | (BigInt(sectors) << offsetBits) | BigInt(at));
      }
      if (content === "plain" || content === "compressed") {
        const at = index * clusterBytes;
        expected.set(data.subarray(0, Math.min(clusterBytes, byteLength - at)), at);
      }
    });
    l1.setBigUint64(table * 8, BigInt(place(new Uint8Array(l2.buffer), clusterBytes)) | (1n << 63n));
  }
  const header = new DataView(new ArrayBuffer(clusterBytes));
  header.setUint32(0, 0x514649fb);
  header.setUint32(4, version);
  header.setUint32(20, clusterBits);
  header.setBigUint64(24, BigInt(byteLength));
  header.setUint32(36, l1Size);
  header.setBigUint64(40, BigInt(clusterBytes));
  if (version === 3) {
    header.setUint32(96, 4);
    header.setUint32(100, 112);
  }
  patch?.(header);
  const bytes = Buffer.concat([new Uint8Array(header.buffer), new Uint8Array(l1.buffer), ...parts]);
  return { bytes, expected };
}
