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

/** With any of these in the address there is a machine of one's own, which takes none of the images, … */
const OWN_MACHINES = ["machine", "cdrom", "floppy", "bzimage", "initrd", "disk"];
/** … and with any of these the machine does not go on from the shipped snapshot (whyNotShipped). */
const BOOTED_MACHINES = [
  "start",
  "boot",
  "serving",
  "shadow",
  "interrupts",
  "scratch",
  "memory",
  "network",
  "kernel",
  "disks",
];

/**
 * The one script in index.html itself. Preloads that stand there as elements would be fetched also for a saved trace, which
 * needs no image at all, for a boot from the disk, which needs no kernel, for a guest on a network, which has another, and for a machine of one's own. What is on
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
    `const has=names=>names.some(name=>asked.has(name));`,
    `if(has(${JSON.stringify(BOOTED_MACHINES)}))goesOn=false;`,
    `try{if(localStorage.getItem("${LAST_START}")==="${BOOTED}")goesOn=false}catch{}`,
    `const images=["manifest.json${manifestQuery()}",...(has(${JSON.stringify(OWN_MACHINES)})||asked.get("boot")==="disk"||asked.get("network")?[]:goesOn?${snapshot}:${named("kernel", "initramfs")})];`,
    `if(!asked.has("trace"))for(const image of images)document.head.append(Object.assign(document.createElement("link"),`,
    `{rel:"preload",as:"fetch",crossOrigin:"",href:"images/"+image}))}`,
  ].join("");
}

/** A script's hash as it stands in a content security policy. */
export function policyHash(script: string): string {
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}
