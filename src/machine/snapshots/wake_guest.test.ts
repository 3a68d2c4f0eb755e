import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { reseedProgram, wakeCommand } from "./wake_guest.ts";

const ENOTTY = 25;

/** Runs the program with a file as descriptor 3; undefined where this computer runs no i386 programs. */
function runWith(path: string): number | undefined {
  const folder = mkdtempSync(join(tmpdir(), "doorbell-"));
  const program = join(folder, "reseed");
  writeFileSync(program, reseedProgram());
  chmodSync(program, 0o700);
  const file = openSync(path, "r");
  const { status } = spawnSync(program, { stdio: ["ignore", "ignore", "ignore", file] });
  closeSync(file);
  rmSync(folder, { recursive: true });
  return status ?? undefined;
}

it("is a static i386 program that asks descriptor 3 to reseed, and exits with the error", () => {
  const program = reseedProgram();
  expect([...program.subarray(0, 5)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 1]);
  const status = runWith("/dev/null");
  // Where the computer cannot run it, e2e/snapshots.spec.ts still does.
  if (status !== undefined) expect(status).toBe(ENOTTY);
});

it("sets the time, feeds the pool, and ends with the program's status without ending the shell", () => {
  const command = wakeCommand(1_700_000_000_400, bytes => bytes.fill(7));
  expect(command).toContain("date -s @1700000000 ");
  expect(command).not.toMatch(/^\s*exit/m);
  const { status } = spawnSync("sh", ["-n", "-c", command]);
  expect(status).toBe(0);
});

it("feeds the pool with the very bytes, whatever they are", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (let from = 0; from < 256; from += 32) {
    const seed = bytes.subarray(from, from + 32);
    const command = wakeCommand(0, () => seed, true);
    const feed = command.split("\n").find(line => line.endsWith(" >/dev/urandom"));
    const { stdout } = spawnSync("sh", ["-c", feed?.replace(" >/dev/urandom", "") ?? "false"]);
    expect([...stdout]).toEqual([...seed]);
  }
});
