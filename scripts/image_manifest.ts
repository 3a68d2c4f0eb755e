/**
 * Makes the manifest of a disk image, with which a browser can check what it reads of the image over HTTP:
 * `npx tsx scripts/image_manifest.ts IMAGE [CHUNK_KIB] > IMAGE.manifest.json`. Put both on the server.
 */
import { createReadStream } from "node:fs";
import { makeManifest } from "../src/storage/overlay/image_manifest.ts";

const [image, kib = "256"] = process.argv.slice(2);
const chunkBytes = Number(kib) * 1024;
if (image === undefined || !(chunkBytes >= 4096 && Number.isInteger(Math.log2(chunkBytes)))) {
  console.error("Usage: npx tsx scripts/image_manifest.ts IMAGE [CHUNK_KIB], a power of two of at least 4");
  process.exit(2);
}
try {
  console.log(JSON.stringify(await makeManifest(createReadStream(image), chunkBytes)));
} catch (error) {
  console.error(`Cannot read ${image}: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
