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
import { mountNotices } from "./notices/notices.ts";
import { startOffline } from "./offline/start.ts";
import { mountStatus } from "./status/status.ts";
import { mountTerminal } from "./terminal/terminal.ts";

/** Mounts all views and makes `window.doorbell`. `messages` are for the user to read. */
export function mountPage(machine: Machine, messages: readonly string[]): void {
  const notices = mountNotices(slot("notices"));
  for (const message of messages) notices.notice(message);

  const offline = startOffline(machine, notices);

  let toolbar: Toolbar | undefined;
  const terminal = mountTerminal(slot("terminal"), machine, () => toolbar?.focus());
  const actions = makeActions(machine, {
    restarting: () => terminal.focus(),
    failed: message => notices.notice(message),
  });
  const split = makeSplit(slot("main"), isOpen => toolbar?.showPanelOpen(isOpen));
  toolbar = mountToolbar(slot("toolbar"), actions, {
    help: () => openHelp(terminal, offline),
    disks: () => void openDisks(),
    panel: () => (split.isOpen ? split.close() : void openPanel(split, machine)),
    back: () => terminal.focus(),
  });
  let disks: DisksDialog | undefined;
  /** Fetched when it is first wanted. */
  const openDisks = async () => {
    const { makeDisksDialog } = await import("./disks/disks_dialog.ts");
    disks ??= makeDisksDialog(machine, message => notices.notice(message));
    disks.open();
  };
  mountBoot(slot("boot"), slot("boot-stages"), machine);
  mountStatus(slot("status"), machine);
  notices.watch(machine, actions);
  mountBlocked(slot("blocked"), machine, actions);
  machine.on("state", state => {
    if (state === "running") focusUnlessBusy(() => terminal.focus());
  });

  // An address that carries what to measure: to be looked at, and started by hand.
  if (new URLSearchParams(location.search).has("bench")) void openPanel(split, machine, "benchmark");
  window.doorbell = makeAutomation(machine, terminal, offline);
  focusUnlessBusy(() => terminal.focus());
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
