/** What the page's buttons do, wherever they are: each asks first when data would be lost. */
import type { DiskStatus, Machine } from "../../machine/api.ts";
import { ask } from "./dialog.ts";
import { askWhichDisks } from "./reset_disks_dialog.ts";

export interface Actions {
  /** Hard reset of the guest. */
  reset(): Promise<void>;
  resetDisks(): Promise<void>;
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
      // A failed start is a state of its own, with its own banner.
      if (machine.state !== "failed") events.failed(`${what} did not work: ${messageOf(error)}.`);
    }
  };
  return {
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

/** The disks' status, or undefined when it does not come in time. */
async function disksSoon(machine: Machine): Promise<readonly DiskStatus[] | undefined> {
  const late = new Promise<undefined>(resolve => setTimeout(resolve, answerMs));
  return await Promise.race([machine.disks().catch(() => undefined), late]);
}
