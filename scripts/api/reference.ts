/**
 * `npm run api`: docs/api, the package's reference, anew from the docstrings. With `-- --check` it writes nothing, and fails
 * when what is there is not what the docstrings say.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TARGET = fileURLToPath(new URL("../../docs/api", import.meta.url));

const made = mkdtempSync(join(tmpdir(), "doorbell-api-"));
try {
  const typedoc = join(HERE, "node_modules/typedoc/bin/typedoc");
  execFileSync(
    process.execPath,
    [typedoc, "--options", "typedoc.json", "--logLevel", "Warn", "--out", made],
    {
      cwd: HERE,
      stdio: "inherit",
    },
  );
  if (!process.argv.includes("--check")) {
    rmSync(TARGET, { recursive: true, force: true });
    cpSync(made, TARGET, { recursive: true });
  } else if (contentOf(made) !== contentOf(TARGET)) {
    console.error("docs/api is not what the docstrings say: run `npm run api` and commit the result.");
    process.exitCode = 1;
  }
} finally {
  rmSync(made, { recursive: true });
}

/** All files of a folder with their names, as one text; empty for a folder that is not there. */
function contentOf(folder: string): string {
  try {
    return readdirSync(folder)
      .sort()
      .map(name => `${name}\n${readFileSync(join(folder, name), "utf8")}`)
      .join("\n");
  } catch {
    return "";
  }
}
