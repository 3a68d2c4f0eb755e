import { type ImageSource, sourceName } from "./own_machine.ts";

/**
 * Reads the whole of an image. Rejects with a sentence: it cannot be reached or read, is empty, or has more than
 * `mostBytes`. `onProgress` hears of bytes, in total if the server says how many there are.
 */
export async function loadWhole(
  source: ImageSource,
  mostBytes: number,
  onProgress: (loaded: number, total: number | undefined) => void,
): Promise<ArrayBuffer> {
  const name = sourceName(source);
  if (source.kind === "file") {
    checkSize(name, source.blob.size, mostBytes);
    return await source.blob.arrayBuffer().catch(error => {
      throw new Error(`${name} could not be read: the file was moved, deleted or changed. Choose it again.`, {
        cause: error,
      });
    });
  }
  const response = await fetch(source.url, { credentials: "omit" }).catch(error => {
    throw new Error(
      `${name} could not be fetched. Check the address and the network; if it is another site, it must allow this page (CORS).`,
      { cause: error },
    );
  });
  if (!response.ok || !response.body) {
    throw new Error(
      `The server of ${name} answered ${response.status}. Check the address and whether it may be read.`,
    );
  }
  const stated = Number(response.headers.get("Content-Length") ?? Number.NaN);
  const total = response.headers.has("Content-Encoding") || Number.isNaN(stated) ? undefined : stated;
  if (total !== undefined) checkSize(name, total, mostBytes);
  let loaded = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        loaded += chunk.length;
        if (loaded > mostBytes) checkSize(name, loaded, mostBytes);
        onProgress(loaded, total);
        controller.enqueue(chunk);
      },
    }),
  );
  const bytes = await new Response(counted).arrayBuffer();
  checkSize(name, bytes.byteLength, mostBytes);
  return bytes;
}

function checkSize(name: string, bytes: number, mostBytes: number): void {
  if (bytes === 0) throw new Error(`${name} is empty.`);
  if (bytes <= mostBytes) return;
  throw new Error(
    `${name} is too large for what it is to be: it has ${mib(bytes)} MiB, and ${mib(mostBytes)} MiB are the most.`,
  );
}

const mib = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
