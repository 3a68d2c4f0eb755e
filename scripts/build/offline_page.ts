/** The part of the build that makes the page work on any static host, and without one: policy, version, service worker. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { build, type Plugin } from "vite";
import { contentSecurityPolicy } from "../../src/offline/policy.ts";
import { SERVICE_WORKER, VERSION_META, type Version, type VersionFile } from "../../src/offline/version.ts";
import { policyHash, preloadScript } from "./preloads.ts";

/** Where index.html has its first elements added. */
const CHARSET = '<meta charset="utf-8" />';

/** Not kept for use without a network: what is written last, texts for people, and what only a guest on a network needs. */
const notOfThePage = new RegExp(
  `^${SERVICE_WORKER}$|\\.md$|\\.map$|^images/(bzImage-network|network\\.cpio\\.gz)$`,
);

export function offlinePage(): Plugin {
  let isBuild = false;
  let outDir = "";
  return {
    name: "doorbell:offline-page",
    configResolved(config) {
      isBuild = config.command === "build";
      outDir = resolve(config.root, config.build.outDir);
    },
    transformIndexHtml: {
      order: "post",
      handler(html) {
        const script = preloadScript();
        const policy = contentSecurityPolicy(policyHash(script));
        // The development server has scripts of its own in the page.
        const meta = isBuild ? `\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />` : "";
        return html.replace(CHARSET, () => `${CHARSET}${meta}\n    <script>${script}</script>`);
      },
    },
    closeBundle: {
      sequential: true,
      async handler() {
        if (isBuild) await finishPage(outDir);
      },
    },
  };
}

/** Gives the built page in `folder` its version, and the service worker that has the list of its files. */
export async function finishPage(folder: string): Promise<Version> {
  const index = join(folder, "index.html");
  const html = readFileSync(index, "utf8").replace(new RegExp(`\n.*name="${VERSION_META}".*`), "");
  writeFileSync(index, html);
  const id = hash(
    listFiles(folder)
      .map(({ path, sha256 }) => `${path} ${sha256}\n`)
      .join(""),
  ).slice(0, 16);
  writeFileSync(
    index,
    html.replace(CHARSET, `${CHARSET}\n    <meta name="${VERSION_META}" content="${id}" />`),
  );
  const version = { id, files: listFiles(folder) };
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1];
  const given = { version, contentSecurityPolicy: policy };
  const worker = await buildWorker();
  writeFileSync(join(folder, SERVICE_WORKER), `const DOORBELL=${JSON.stringify(given)};\n${worker}`);
  return version;
}

function listFiles(folder: string): VersionFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .filter(path => !notOfThePage.test(path))
    .sort()
    .map(path => {
      const bytes = readFileSync(join(folder, path));
      const unpacked = path.endsWith(".gz") && { unpackedSha256: hash(gunzipSync(bytes)) };
      return { path, sha256: hash(bytes), ...unpacked };
    });
}

function hash(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** One classic script: not every browser has module service workers. */
async function buildWorker(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    publicDir: false,
    build: {
      write: false,
      target: "es2022",
      rollupOptions: {
        input: join(import.meta.dirname, "../../src/offline/service_worker.ts"),
        output: { format: "iife" },
      },
    },
  });
  const [output] = [result].flat();
  const chunk = output && "output" in output ? output.output[0] : undefined;
  if (chunk?.type !== "chunk") throw new Error("The service worker was not built.");
  return chunk.code;
}
