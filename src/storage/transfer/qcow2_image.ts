/** Reads the disk out of a qcow2 image (versions 2 and 3): docs/interop/qcow2.txt of QEMU. */
import { Inflate } from "fflate";
import { type ImagePiece, type ImageSource, READ_BYTES, readSlice } from "./image_source.ts";
import { damaged, parseQcow2Header, QCOW2_HEADER_BYTES, type Qcow2Header } from "./qcow2_header.ts";

/** Host offset in an L1 or L2 entry. */
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
/** L2, version 3: the cluster reads as zeroes, whatever the entry's offset is. */
const ALL_ZEROES = 1n;
/** So much compressed data is unpacked at a time: more than a cluster never comes out of the rest. */
const INFLATE_STEP_BYTES = 4096;

/** Opens a qcow2 image. Rejects with ImageError for what cannot be read; `pieces()` does so for what is damaged. */
export async function openQcow2(file: Blob): Promise<ImageSource> {
  const header = parseQcow2Header(await readSlice(file, 0, QCOW2_HEADER_BYTES), file.size);
  return { format: "qcow2", byteLength: header.byteLength, pieces: () => piecesOf(file, header) };
}

/** Where a guest cluster's data is in the file. */
type Cluster =
  | { readonly kind: "plain"; readonly hostOffset: number }
  | { readonly kind: "compressed"; readonly hostOffset: number; readonly hostBytes: number };

async function* piecesOf(file: Blob, header: Qcow2Header): AsyncGenerator<ImagePiece, void> {
  const { clusterBytes, byteLength } = header;
  const mostClusters = Math.max(1, READ_BYTES / clusterBytes);
  const perTable = clusterBytes / 8;
  for await (const { index, l2 } of l2Tables(file, header)) {
    const first = index * perTable;
    const count = Math.min(perTable, Math.ceil(byteLength / clusterBytes) - first);
    for (let i = 0; i < count; ) {
      const offset = (first + i) * clusterBytes;
      const cluster = clusterOf(l2.getBigUint64(i * 8), header, file.size);
      let clusters = 1;
      let data: Uint8Array | undefined;
      if (cluster?.kind === "compressed") data = await readCompressed(file, cluster, clusterBytes, offset);
      else if (cluster?.kind === "plain") {
        // Clusters that follow each other in the file as well are read together.
        while (clusters < mostClusters && i + clusters < count) {
          const next = clusterOf(l2.getBigUint64((i + clusters) * 8), header, file.size);
          if (next?.kind !== "plain" || next.hostOffset !== cluster.hostOffset + clusters * clusterBytes)
            break;
          clusters += 1;
        }
        // As QEMU reads it: what the last cluster lacks at the end of the file is zero.
        data = await readSlice(file, cluster.hostOffset, cluster.hostOffset + clusters * clusterBytes);
      }
      if (data !== undefined) yield { offset, data: data.subarray(0, Math.max(0, byteLength - offset)) };
      i += clusters;
    }
  }
}

/** The L2 tables that exist, in the order of the disk. */
async function* l2Tables(
  file: Blob,
  { clusterBytes, l1Offset, l1Entries }: Qcow2Header,
): AsyncGenerator<{ readonly index: number; readonly l2: DataView }, void> {
  const entriesAtATime = READ_BYTES / 8;
  for (let start = 0; start < l1Entries; start += entriesAtATime) {
    const count = Math.min(entriesAtATime, l1Entries - start);
    const at = l1Offset + start * 8;
    const l1 = viewOf(await readSlice(file, at, at + count * 8), count * 8);
    for (let i = 0; i < count; i++) {
      const l2Offset = Number(l1.getBigUint64(i * 8) & OFFSET_MASK);
      if (l2Offset === 0) continue;
      if (l2Offset % clusterBytes !== 0 || l2Offset + clusterBytes > file.size) {
        throw damaged(`L2 table ${start + i} lies outside the file; was it copied to its end?`);
      }
      const l2 = viewOf(await readSlice(file, l2Offset, l2Offset + clusterBytes), clusterBytes);
      yield { index: start + i, l2 };
    }
  }
}

/** What an L2 entry says; undefined for a cluster that reads as zeroes. */
function clusterOf(
  entry: bigint,
  { version, clusterBits, clusterBytes }: Qcow2Header,
  fileBytes: number,
): Cluster | undefined {
  if (entry & COMPRESSED) {
    const offsetBits = BigInt(62 - (clusterBits - 8));
    const hostOffset = Number(entry & ((1n << offsetBits) - 1n));
    const moreSectors = Number((entry & (COMPRESSED - 1n)) >> offsetBits);
    if (hostOffset >= fileBytes) throw outside(hostOffset);
    return { kind: "compressed", hostOffset, hostBytes: (moreSectors + 1) * 512 - (hostOffset % 512) };
  }
  const hostOffset = Number(entry & OFFSET_MASK);
  if (hostOffset === 0 || (version === 3 && entry & ALL_ZEROES)) return undefined;
  if (hostOffset % clusterBytes !== 0 || hostOffset >= fileBytes) throw outside(hostOffset);
  return { kind: "plain", hostOffset };
}

const outside = (hostOffset: number) =>
  damaged(`a cluster at ${hostOffset} lies outside the file; was it copied to its end?`);

/** Unpacks one cluster. What follows the compressed data up to the end of its last sector belongs to others. */
async function readCompressed(
  file: Blob,
  { hostOffset, hostBytes }: { readonly hostOffset: number; readonly hostBytes: number },
  clusterBytes: number,
  offset: number,
): Promise<Uint8Array> {
  const packed = await readSlice(file, hostOffset, hostOffset + hostBytes);
  const cluster = new Uint8Array(clusterBytes);
  let filled = 0;
  const inflate = new Inflate(piece => {
    const taken = piece.subarray(0, clusterBytes - filled);
    cluster.set(taken, filled);
    filled += taken.length;
  });
  try {
    for (let at = 0; at < packed.length && filled < clusterBytes; at += INFLATE_STEP_BYTES) {
      inflate.push(packed.subarray(at, at + INFLATE_STEP_BYTES));
    }
  } catch {
    // Reported below: what came out before may be all of it.
  }
  if (filled < clusterBytes)
    throw damaged(`the compressed cluster for disk offset ${offset} cannot be unpacked`);
  return cluster;
}

function viewOf(bytes: Uint8Array, expectedBytes: number): DataView {
  if (bytes.length !== expectedBytes) throw damaged("a table lies outside the file");
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
