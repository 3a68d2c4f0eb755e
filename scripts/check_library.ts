/**
 * `npm run check:library`: publint and "are the types wrong?" look at the tarball that `npm pack` makes of the
 * library, built for it. Works offline; fails with what they say.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "v86-nvme-pack-"));
const built = join(folder, "built");
try {
  execFileSync("npx", ["tsx", "scripts/build_library.ts", built], { cwd: ROOT, stdio: "inherit" });
  const name = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: built,
    encoding: "utf8",
  }).trim();
  const tarball = readFileSync(join(folder, name));
  const problems = [...(await lint(tarball)), ...(await typesOf(tarball))];
  for (const problem of problems) console.error(problem);
  console.log(`${name}: ${tarball.length} bytes, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

async function lint(tarball: Uint8Array): Promise<string[]> {
  const { messages, pkg } = await publint({
    pack: { tarball: Uint8Array.from(tarball).buffer },
    strict: true,
  });
  return messages.map(message => `publint: ${formatMessage(message, pkg) ?? message.code}`);
}

/** CommonJS is not offered: that `require` finds an ES module is no problem of a package that says so. */
async function typesOf(tarball: Uint8Array): Promise<string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (!analysis.types) return ["types: the package has none"];
  return analysis.problems
    .filter(problem => !(problem.kind === "CJSResolvesToESM"))
    .map(problem => `types: ${JSON.stringify(problem)}`);
}
