/**
 * `npm run build:library`: the package v86-nvme in dist-lib/ (or in the folder that is named), ready for `npm pack`: the
 * modules, the declarations that the entry reaches, README and licences.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OUT = resolve(process.argv[2] ?? join(ROOT, "dist-lib"));
const require = createRequire(import.meta.url);

const project = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/**
 * The entry is a list of exports and nothing more: so a bundler that needs only what reads traces drops all modules but that
 * one, and with them the worker.
 */
const groups = [
  { name: "trace", test: /src\/(trace|devices\/nvme\/(spec|trace_files))/, priority: 3 },
  { name: "shared", minShareCount: 2, priority: 2 },
  { name: "attach", test: /src\/library\/(attach|monitor|shared_memory|delete_disk)/, priority: 1 },
];

rmSync(OUT, { recursive: true, force: true });
const bundled = await bundle();
declarations();
writeFileSync(join(OUT, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);
cpSync(join(ROOT, "docs/library.md"), join(OUT, "README.md"));
cpSync(join(ROOT, "LICENSE"), join(OUT, "LICENSE"));
writeFileSync(join(OUT, "THIRD_PARTY_LICENSES.md"), licences(bundled));

function manifest() {
  return {
    name: "v86-nvme",
    version: project.version,
    description: "An NVMe SSD, or a virtio disk, for a v86 machine of your own.",
    license: project.license,
    keywords: ["v86", "nvme", "virtio", "emulator", "indexeddb", "opfs"],
    type: "module",
    sideEffects: ["./iothread.js"],
    exports: {
      ".": { types: "./types/library/index.d.ts", default: "./index.js" },
      "./package.json": "./package.json",
    },
    types: "./types/library/index.d.ts",
    files: ["index.js", "attach.js", "iothread.js", "chunks", "types", "THIRD_PARTY_LICENSES.md"],
    // v86's insides are no public interface: only this version is known to fit.
    peerDependencies: { v86: project.dependencies.v86 },
  };
}

/** Resolves to the packages that went into the bundle. */
async function bundle(): Promise<string[]> {
  const build = await rolldown({
    input: { index: join(ROOT, "src/library/index.ts"), iothread: join(ROOT, "src/library/iothread.ts") },
    platform: "browser",
    transform: { target: "es2022" },
  });
  const { output } = await build.write({
    dir: OUT,
    format: "esm",
    entryFileNames: "[name].js",
    // The worker's address is relative to the module that starts it.
    chunkFileNames: ({ name }) => (name === "attach" ? "[name].js" : "chunks/[name].js"),
    codeSplitting: { groups },
    minify: false,
  });
  await build.close();
  const modules = output.flatMap(file => (file.type === "chunk" ? file.moduleIds : []));
  const packages = modules.flatMap(id => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []);
  return [...new Set(packages)].sort();
}

/** The declarations that the entry's need. tsc leaves the imports of sources in them as they are. */
function declarations(): void {
  const all = mkdtempSync(join(tmpdir(), "v86-nvme-types-"));
  execFileSync("npx", ["tsc", "-p", "tsconfig.library.json", "--outDir", all], {
    cwd: ROOT,
    stdio: "inherit",
  });
  const waiting = ["library/index.d.ts"];
  const taken = new Set(waiting);
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const text = readFileSync(join(all, file), "utf8").replace(
      /(from |import\()"(\.[^"]+)\.ts"/g,
      (_, before: string, target: string) => {
        const path = relative(all, join(all, dirname(file ?? ""), `${target}.d.ts`));
        if (!taken.has(path)) waiting.push(path);
        taken.add(path);
        return `${before}"${target}.js"`;
      },
    );
    const to = join(OUT, "types", file);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, text);
  }
  rmSync(all, { recursive: true });
}

/** The notices of what is in the bundle. */
function licences(packages: readonly string[]): string {
  const parts = packages.map(name => {
    const directory = dirname(require.resolve(`${name}/package.json`));
    const { version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    const file = readdirSync(directory).find(each => /^licen[cs]e/i.test(each));
    if (!file) throw new Error(`${name} comes without its licence`);
    return `## ${name} ${version} (${license})\n\n${readFileSync(join(directory, file), "utf8").trim()}\n`;
  });
  return `# What is bundled into this package\n\n${parts.join("\n")}`;
}
