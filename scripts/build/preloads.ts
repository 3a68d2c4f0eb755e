/** What index.html asks for before any script of the page runs. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hashInUrl } from "../../src/offline/version.ts";

const manifest = join(import.meta.dirname, "../../public/images/manifest.json");

/** As a page asks for the manifest, and for what it names: with the hash, so that it is that version or none. */
export function manifestQuery(): string {
  return `?${hashInUrl(createHash("sha256").update(readFileSync(manifest)).digest("hex"))}`;
}

/**
 * The one script in index.html itself. Preloads that stand there as elements would be fetched also for a saved trace, which
 * needs no image at all, for a boot from the disk, which needs no kernel, and for a guest on a network, which has another.
 */
export function preloadScript(): string {
  const { files } = JSON.parse(readFileSync(manifest, "utf8")) as {
    files: Record<string, { path: string; encodedSha256: string }>;
  };
  const handed = ["kernel", "initramfs"].map(
    name => `${files[name].path}?${hashInUrl(files[name].encodedSha256)}`,
  );
  return [
    `{const asked=new URLSearchParams(location.search);`,
    `const images=["manifest.json${manifestQuery()}",...(asked.get("boot")==="disk"||asked.get("network")?[]:${JSON.stringify(handed)})];`,
    `if(!asked.has("trace"))for(const image of images)document.head.append(Object.assign(document.createElement("link"),`,
    `{rel:"preload",as:"fetch",crossOrigin:"",href:"images/"+image}))}`,
  ].join("");
}

/** A script's hash as it stands in a content security policy. */
export function policyHash(script: string): string {
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}
