/** The package as it would be installed, and its examples beside it, in a folder of their own. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(ROOT, "node_modules/.bin", name);

export interface PackedLibrary {
  /** Holds a folder for each example, with what `npm install` would put there. */
  readonly folder: string;
  readonly images: string;
  /** Builds an example with its own configuration. Resolves to the folder with the result. */
  build(example: string): string;
  /** Type-checks an example against the package's declarations. Throws what tsc says. */
  check(example: string): void;
  remove(): void;
}

/** Builds and packs the library, extracts the tarball, and puts v86 and Vite's types beside it as npm would. */
export function packLibrary(): PackedLibrary {
  const folder = mkdtempSync(join(tmpdir(), "v86-nvme-"));
  const run = (cwd: string, file: string, ...args: string[]) =>
    execFileSync(file, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const built = join(folder, "built");
  run(ROOT, bin("tsx"), "scripts/build_library.ts", built);
  const tarball = run(built, "npm", "pack", "--silent", "--pack-destination", folder).trim();
  cpSync(join(ROOT, "examples"), folder, { recursive: true });
  for (const example of ["smallest", "own-backend", "trace-viewer"]) {
    const modules = join(folder, example, "node_modules");
    const installed = join(modules, "v86-nvme");
    mkdirSync(installed, { recursive: true });
    run(folder, "tar", "-xzf", tarball, "-C", installed, "--strip-components=1");
    cpSync(join(ROOT, "node_modules/v86"), join(modules, "v86"), {
      recursive: true,
      filter: path => !/debug|fallback|\.map$|libv86\.js$/.test(path),
    });
    mkdirSync(join(modules, "vite"));
    for (const part of ["package.json", "client.d.ts", "types"]) {
      cpSync(join(ROOT, "node_modules/vite", part), join(modules, "vite", part), { recursive: true });
    }
  }
  return {
    folder,
    images: join(ROOT, "public/images"),
    build(example) {
      run(join(folder, example), bin("vite"), "build", "--logLevel", "error");
      return join(folder, example, "dist");
    },
    check(example) {
      run(join(folder, example), bin("tsc"), "-p", ".");
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
