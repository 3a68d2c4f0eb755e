/** What the page's buttons do, wherever they are: each asks first when data would be lost. */
import type { DiskAccess, DiskStatus, Machine } from "../../machine/api.ts";
import { ask } from "./dialog.ts";
import { askWhichDisks } from "./reset_disks_dialog.ts";

export interface Actions {
  /** Hard reset of the guest. */
  reset(): Promise<void>;
  resetDisks(): Promise<void>;
  /** Boots from the machine's own disks, if no other tab has them; a copy that it worked on is dropped. */
  own(): Promise<void>;
  /** Has the tab that has the disks save them and stop, and boots from them. */
  takeOver(): Promise<void>;
  /** Takes the disks away from a tab that does not let go. */
  steal(): Promise<void>;
  /** Boots from a copy of the disks in memory. */
  openReadOnly(): Promise<void>;
}

/** A machine that hangs must not keep the question from being asked. */
const answerMs = 500;

/** What the page does around an action. */
export interface ActionEvents {
  /** The machine is about to boot again. */
  restarting(): void;
  /** The action did not work; a sentence for the user. */
  failed(message: string): void;
}

export function makeActions(machine: Machine, events: ActionEvents): Actions {
  const attempt = async (what: string, action: () => Promise<void>) => {
    try {
      await action();
    } catch (error) {
      // A start that failed or was blocked is a state of its own, which the page shows.
      if (machine.state !== "failed" && machine.state !== "blocked")
        events.failed(`${what} did not work: ${messageOf(error)}.`);
    }
  };
  const startAs = (what: string, access: DiskAccess) => () =>
    attempt(what, async () => {
      if (machine.readOnly && machine.state === "running" && !(await mayDropCopy())) return;
      events.restarting();
      await machine.start(access);
    });
  return {
    own: startAs("Opening the disks", "own"),
    takeOver: startAs("Taking the disks over", "takeover"),
    steal: startAs("Taking the disks over", "steal"),
    openReadOnly: startAs("Opening the disks read-only", "readonly"),
    reset: () =>
      attempt("The reset", async () => {
        if (!(await mayReset(machine))) return;
        events.restarting();
        await machine.restart();
      }),
    resetDisks: () =>
      attempt("Resetting the disks", async () => {
        const which = await askWhichDisks((await disksSoon(machine)) ?? []);
        if (which === undefined) return;
        events.restarting();
        await machine.resetDisks(which);
      }),
  };
}

/** The text of whatever was thrown, without a full stop of its own. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}

/** What has reached the disk stays, flushed or not: the iothread outlives the guest. What Linux still caches does not. */
async function mayReset(machine: Machine): Promise<boolean> {
  if (machine.state !== "running") return true;
  return await ask({
    title: "Reset the machine?",
    body: [
      "This is the reset button, not a shutdown. What Linux still holds in memory and has not written to its disk will be lost. Run “sync” first to keep it.",
    ],
    confirm: "Reset",
  });
}

function mayDropCopy(): Promise<boolean> {
  return ask({
    title: "Leave the read-only copy?",
    body: ["What you have changed here exists only in this tab’s memory and will be lost."],
    confirm: "Drop the copy",
  });
}

/** The disks' status, or undefined when it does not come in time. */
async function disksSoon(machine: Machine): Promise<readonly DiskStatus[] | undefined> {
  const late = new Promise<undefined>(resolve => setTimeout(resolve, answerMs));
  return await Promise.race([machine.disks().catch(() => undefined), late]);
}
