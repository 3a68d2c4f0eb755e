import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";
import { licences } from "./scripts/build/licences.ts";
import { offlinePage } from "./scripts/build/offline_page.ts";
import { manifestQuery, policyHash, preloadScript } from "./scripts/build/preloads.ts";
import { contentSecurityPolicy, isolationHeaders } from "./src/offline/policy.ts";

/**
 * `import url from "./file?gzip"` gives the URL of a gzipped copy of the file, so that it is a small download from
 * any static host, also from one that compresses nothing. The development server gives the file as it is: whoever
 * reads it looks at the first bytes.
 */
function gzippedAssets(): Plugin {
  const suffix = "?gzip";
  let building = false;
  return {
    name: "doorbell:gzipped-assets",
    enforce: "pre",
    configResolved(config) {
      building = config.command === "build";
    },
    async resolveId(id, importer) {
      if (!id.endsWith(suffix)) return;
      const resolved = await this.resolve(id.slice(0, -suffix.length), importer, { skipSelf: true });
      return resolved && resolved.id + suffix;
    },
    load(id) {
      if (!id.endsWith(suffix)) return;
      const file = id.slice(0, -suffix.length);
      if (!building) return `export { default } from ${JSON.stringify(`${file}?url`)};`;
      const reference = this.emitFile({
        type: "asset",
        name: `${basename(file)}.gz`,
        source: gzipSync(readFileSync(file), { level: 9 }),
      });
      return `export default import.meta.ROLLUP_FILE_URL_${reference};`;
    },
  };
}

export default defineConfig({
  // Every URL is relative: the page can be put into any folder of a host.
  base: "./",
  plugins: [gzippedAssets(), licences(), offlinePage()],
  define: { "import.meta.env.VITE_IMAGES_QUERY": JSON.stringify(manifestQuery()) },
  // Found here at the first start of the development server, not in the middle of it (which would reload the page).
  optimizeDeps: { include: ["comlink", "idb-keyval", "@xterm/xterm", "@xterm/addon-fit", "v86"] },
  server: { headers: isolationHeaders },
  preview: {
    headers: {
      ...isolationHeaders,
      "Content-Security-Policy": contentSecurityPolicy(policyHash(preloadScript())),
    },
  },
  worker: { format: "es", plugins: () => [gzippedAssets()] },
  build: { target: "es2022", chunkSizeWarningLimit: 700 },
});
