/** What index.html asks for before any script of the page runs. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BOOTED, LAST_START } from "../../src/machine/memory.ts";
import { hashInUrl } from "../../src/offline/version.ts";

const manifest = join(import.meta.dirname, "../../public/images/manifest.json");

/** As a page asks for the manifest, and for what it names: with the hash, so that it is that version or none. */
export function manifestQuery(): string {
  return `?${hashInUrl(createHash("sha256").update(readFileSync(manifest)).digest("hex"))}`;
}

/** With any of these in the address the machine does not go on from the shipped snapshot (whyNotShipped), or there is another one. */
const OTHER_MACHINES = [
  ...["start", "boot", "serving", "shadow", "interrupts", "scratch", "memory", "network", "kernel", "disks"],
  ...["machine", "cdrom", "floppy", "bzimage", "initrd", "disk"],
];

/**
 * The one script in index.html itself. Preloads that stand there as elements would be fetched also for a saved trace, which
 * needs no image at all, for a boot from the disk, which needs no kernel, and for a guest on a network, which has another. What is on
 * the disks it cannot know, but the last visit has left a word: once that has booted, most likely this one does.
 */
export function preloadScript(): string {
  const { files } = JSON.parse(readFileSync(manifest, "utf8")) as {
    files: Record<string, { path: string; encodedSha256: string }>;
  };
  const named = (...names: string[]) =>
    JSON.stringify(
      names
        .filter(name => name in files)
        .map(name => `${files[name].path}?${hashInUrl(files[name].encodedSha256)}`),
    );
  const snapshot = named("snapshot");
  return [
    `{const asked=new URLSearchParams(location.search);let goesOn=${snapshot !== "[]"};`,
    `for(const name of ${JSON.stringify(OTHER_MACHINES)})if(asked.has(name))goesOn=false;`,
    `try{if(localStorage.getItem("${LAST_START}")==="${BOOTED}")goesOn=false}catch{}`,
    `const images=["manifest.json${manifestQuery()}",...(goesOn?${snapshot}:asked.get("boot")==="disk"||asked.get("network")?[]:${named("kernel", "initramfs")})];`,
    `if(!asked.has("trace"))for(const image of images)document.head.append(Object.assign(document.createElement("link"),`,
    `{rel:"preload",as:"fetch",crossOrigin:"",href:"images/"+image}))}`,
  ].join("");
}

/** A script's hash as it stands in a content security policy. */
export function policyHash(script: string): string {
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}
