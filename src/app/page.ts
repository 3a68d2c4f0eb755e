/** The views of the page, around a machine. */
import type { Machine } from "../machine/api.ts";
import { makeAutomation } from "./automation.ts";
import { mountBlocked } from "./blocked/blocked.ts";
import { mountBoot } from "./boot/boot.ts";
import { makeActions } from "./controls/actions.ts";
import { mountToolbar, type Toolbar } from "./controls/toolbar.ts";
import type { DisksDialog } from "./disks/disks_dialog.ts";
import { slot } from "./dom.ts";
import { openHelp } from "./help/help.ts";
import { makeSplit, type Split } from "./layout/split.ts";
import { takeDroppedImages } from "./machines/drop.ts";
import { askForNetwork } from "./network/ask.ts";
import { connectedSentence } from "./network/permission.ts";
import { mountNotices } from "./notices/notices.ts";
import { startOffline } from "./offline/start.ts";
import { mountStatus } from "./status/status.ts";
import { mountTerminal, type TerminalView } from "./terminal/terminal.ts";

/** Puts another view before the terminal, which then is a part of it. `leave` moves the focus out of it. */
export type MountOver = (terminal: TerminalView, leave: () => void) => { focus(): void };

/**
 * Mounts all views and makes `window.doorbell`. `messages` are for the user to read; `relay` is a network that the address asks
 * for and the user has not permitted.
 */
export function mountPage(
  machine: Machine,
  messages: readonly string[],
  relay?: string,
  mountOver?: MountOver,
): void {
  const notices = mountNotices(slot("notices"));
  for (const message of messages) notices.notice(message);

  if (relay !== undefined) askForNetwork(machine, notices, relay);
  else if (machine.settings.network !== "") notices.notice(connectedSentence(machine.settings.network));
  const offline = startOffline(machine, notices);

  let toolbar: Toolbar | undefined;
  const terminal = mountTerminal(slot("terminal"), machine, () => toolbar?.focus());
  const actions = makeActions(machine, {
    restarting: () => view.focus(),
    failed: message => notices.notice(message),
  });
  const view = mountOver?.(terminal, () => toolbar?.focus()) ?? terminal;
  const split = makeSplit(slot("main"), isOpen => toolbar?.showPanelOpen(isOpen));
  toolbar = mountToolbar(slot("toolbar"), actions, {
    // These are of the built-in machine.
    ...(!machine.settings.own && {
      help: () => openHelp(terminal, offline),
      disks: () => void openDisks(),
    }),
    // A machine that a link describes has nothing that could be gone back to.
    ...((!machine.settings.own || machine.settings.own.id !== undefined) && {
      snapshots: () => void openSnapshots(),
    }),
    machines: () => void openMachines(),
    panel: () => (split.isOpen ? split.close() : void openPanel(split, machine)),
    back: () => view.focus(),
  });
  let disks: DisksDialog | undefined;
  /** Fetched when it is first wanted. */
  const openDisks = async () => {
    const { makeDisksDialog } = await import("./disks/disks_dialog.ts");
    disks ??= makeDisksDialog(machine, message => notices.notice(message));
    disks.open();
  };
  const openMachines = async (files: readonly File[] = []) => {
    const { openMachinesDialog } = await import("./machines/machines_dialog.ts");
    await openMachinesDialog(machine, message => notices.notice(message), files);
  };
  takeDroppedImages(files => void openMachines(files));
  const openSnapshots = async () =>
    (await import("./snapshots/snapshots_dialog.ts")).openSnapshots(machine, message =>
      notices.notice(message),
    );
  mountBoot(slot("boot"), slot("boot-stages"), machine);
  mountStatus(slot("status"), machine);
  notices.watch(machine, actions);
  mountBlocked(slot("blocked"), machine, actions);
  machine.on("state", state => {
    if (state === "running") focusUnlessBusy(() => view.focus());
  });

  // An address that carries what to measure: to be looked at, and started by hand.
  if (new URLSearchParams(location.search).has("bench")) void openPanel(split, machine, "benchmark");
  window.doorbell = makeAutomation(machine, terminal, offline);
  focusUnlessBusy(() => view.focus());
}

/** Takes the keyboard focus for the terminal unless someone is using it elsewhere. */
function focusUnlessBusy(focus: () => void): void {
  if (document.activeElement === document.body || document.activeElement === null) focus();
}

/** The views are fetched when they are first wanted. */
async function openPanel(split: Split, machine: Machine, first?: string): Promise<void> {
  const { mountPanel } = await import("./panel/panel.ts");
  split.open((el, close) => mountPanel(el, machine, close, first));
}
