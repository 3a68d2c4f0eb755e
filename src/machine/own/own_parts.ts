import { HttpImage } from "../../storage/overlay/http_image.ts";
import { fingerprint } from "./fingerprint.ts";
import type { ImageSource, OwnMachine } from "./own_machine.ts";

/**
 * What a guest in a machine of one's own depends on once it runs, beside the settings that all machines have: by the names of a
 * snapshot's `hardware`. Rejects with a sentence when an image cannot be looked at.
 */
export async function ownParts(own: OwnMachine): Promise<Readonly<Record<string, string>>> {
  const { id = "", bus, bootOrder, commandLine, cdrom, floppy, kernel, initrd } = own;
  const media = { cdrom, floppy, kernel, initrd };
  const named = await Promise.all(
    Object.entries(media).map(
      async ([name, source]): Promise<readonly (readonly [string, string])[]> =>
        source ? [[name, await contentOf(source, name === "cdrom")]] : [],
    ),
  );
  return {
    machine: id,
    bus,
    boot: bootOrder.join(),
    ...(commandLine !== "" && { commandLine }),
    ...Object.fromEntries(named.flat()),
  };
}

/** Of an image that the guest goes on reading the server is asked; one that is in its memory by then has its address only. */
async function contentOf(source: ImageSource, isRead: boolean): Promise<string> {
  if (source.kind === "file") return await fingerprint(source.name, source.blob);
  if (!isRead) return source.url;
  const image = await HttpImage.open(source.url);
  const { byteLength, etag, lastModified } = image.identity;
  await image.close();
  return `${source.url} (${byteLength} bytes, ${etag ?? lastModified ?? "of no known date"})`;
}
