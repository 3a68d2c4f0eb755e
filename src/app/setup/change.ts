import type { Machine } from "../../machine/api.ts";
import { ask } from "../controls/dialog.ts";

/** A guest that hangs must not keep its settings for ever. */
const SYNC_MS = 10_000;

/**
 * Has the guest write what it caches, ends the machine and opens the page at `query`. False if the user would rather
 * keep it, having been told that the guest could not write.
 */
export async function startAgain(machine: Machine, query: string): Promise<boolean> {
  if (!(await mayEnd(machine))) return false;
  await machine.stop();
  location.assign(`${location.pathname}${query}`);
  return true;
}

/** Is nothing lost by it, or only what the user lets go? */
async function mayEnd(machine: Machine): Promise<boolean> {
  // No system but ours can be asked to write what it caches.
  if (machine.settings.own) return machine.state !== "running" || (await mayLose(OWN));
  if (machine.readOnly) return await mayLose(COPY);
  return (await synced(machine)) || (await mayLose(CACHE));
}

/** Has the guest written all? A machine that does not run caches nothing. */
async function synced(machine: Machine): Promise<boolean> {
  if (machine.state !== "running") return true;
  // A CPU that stands still would not answer.
  machine.slowMotion.resume();
  const late = new Promise<boolean>(resolve => setTimeout(resolve, SYNC_MS, false));
  const done = machine.exec("sync").then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
  return await Promise.race([done, late]);
}

const COPY = "What you have changed in the read-only copy exists only in this tab’s memory and will be lost.";
const OWN =
  "The machine is switched off as by its power button: shut its system down first, or what that has not written to its disks is lost.";
const CACHE =
  "Linux did not answer “sync” in time. What it still holds in memory and has not written to its disk will be lost.";

function mayLose(what: string): Promise<boolean> {
  return ask({ title: "Start again?", body: [what], confirm: "Start again" });
}
