/** Banners between the bar and the terminal: one for the machine's state, and one for each notice. */
import type { Machine, Speed } from "../../machine/api.ts";
import type { Actions } from "../controls/actions.ts";
import { button, type Dispose, element } from "../dom.ts";

export interface BannerAction {
  readonly label: string;
  readonly run: () => void;
}

interface Banner {
  readonly message: string;
  readonly severity: "information" | "warning" | "error";
  readonly actions?: readonly BannerAction[];
  /** Without a way to dismiss it, a banner stays until the state changes. */
  readonly dismissible: boolean;
}

/** More than this many would push the terminal off a phone's screen; the oldest goes. */
const maxNotices = 6;

/** Several times the slowest boot seen on a loaded machine. */
const slowBootMs = 60_000;

const icons = { information: "ℹ", warning: "▲", error: "✕" } as const;

export interface Notices {
  /** A sentence that stays until it is dismissed, and what can be done about it. */
  notice(message: string, action?: BannerAction): void;
  /** Follows a machine's state and notices. */
  watch(machine: Machine, actions: Actions): Dispose;
}

/** Shows banners in `el`. Works without a machine, for a page that cannot start one. */
export function mountNotices(el: HTMLElement): Notices {
  const shown: { readonly message: string; readonly node: HTMLElement }[] = [];
  let stateNode: HTMLElement | undefined;
  let stateMessage = "";
  let markNode: HTMLElement | undefined;
  let unsavedNode: HTMLElement | undefined;
  let faultsNode: HTMLElement | undefined;
  let paceNode: HTMLElement | undefined;
  let paceMessage: string | undefined;

  const remove = (node: HTMLElement) => {
    node.remove();
    const index = shown.findIndex(entry => entry.node === node);
    if (index >= 0) shown.splice(index, 1);
  };
  const notice = (message: string, action?: BannerAction) => {
    // The reason of a failure comes as a notice and as the state's detail: once is enough.
    if (stateMessage.includes(message) || shown.some(entry => entry.message === message)) return;
    const banner: Banner = {
      message,
      severity: "information",
      dismissible: true,
      ...(action && { actions: [action] }),
    };
    const node: HTMLElement = draw(banner, () => remove(node));
    shown.push({ message, node });
    el.append(node);
    if (shown.length > maxNotices) remove(shown[0].node);
  };
  const showState = (banner: Banner | undefined) => {
    stateNode?.remove();
    stateNode = undefined;
    stateMessage = banner?.message ?? "";
    if (banner === undefined) return;
    for (const entry of [...shown]) if (banner.message.includes(entry.message)) remove(entry.node);
    stateNode = draw(banner, () => showState(undefined));
    if (markNode) markNode.after(stateNode);
    else el.prepend(stateNode);
  };

  const showMark = (banner: Banner | undefined) => {
    if (banner !== undefined && markNode !== undefined) return;
    markNode?.remove();
    markNode = banner && draw(banner, () => {});
    if (markNode) el.prepend(markNode);
  };

  const showUnsaved = (banner: Banner | undefined) => {
    unsavedNode?.remove();
    const node = banner && draw(banner, () => node?.remove());
    unsavedNode = node;
    if (node) el.prepend(node);
  };

  const showFaults = (banner: Banner | undefined) => {
    faultsNode?.remove();
    faultsNode = banner && draw(banner, () => {});
    if (faultsNode) el.prepend(faultsNode);
  };

  const showPace = (banner: Banner | undefined) => {
    // Each step is an event too.
    if (banner?.message === paceMessage) return;
    paceMessage = banner?.message;
    paceNode?.remove();
    paceNode = banner && draw(banner, () => {});
    if (paceNode) el.prepend(paceNode);
  };

  return {
    notice,
    watch(machine, actions) {
      let slowTimer = 0;
      const onState = () => {
        clearTimeout(slowTimer);
        // Whose worker is gone has nothing left to save.
        if (machine.state === "failed" || machine.state === "blocked") showUnsaved(undefined);
        showMark(machine.readOnly && machine.state !== "blocked" ? readOnlyBanner(actions) : undefined);
        showState(stateBanner(machine, actions));
        if (machine.state !== "booting") return;
        slowTimer = window.setTimeout(() => showState(slowBanner(actions)), slowBootMs);
      };
      const off = [
        machine.on("notice", message => notice(message)),
        machine.on("unsaved", reason =>
          showUnsaved(reason === undefined ? savedBanner(actions) : unsavedBanner(reason)),
        ),
        machine.on("faults", armed =>
          showFaults(armed.length === 0 ? undefined : faultsBanner(armed.length, machine)),
        ),
        machine.on("pace", speed => showPace(speed === 1 ? undefined : paceBanner(speed, machine))),
        machine.on("state", onState),
      ];
      onState();
      return () => {
        clearTimeout(slowTimer);
        for (const dispose of off) dispose();
      };
    },
  };
}

/** Stays in sight as long as what is written will be lost. */
function readOnlyBanner(actions: Actions): Banner {
  return {
    message: "Read-only copy: what you change here is dropped when this tab closes or reloads.",
    severity: "warning",
    actions: [{ label: "Use the disks", run: () => void actions.own() }],
    dismissible: false,
  };
}

/** Not to be dismissed: Linux may go on as if all was well. */
const unsavedBanner = (reason: string): Banner => ({
  message: reason,
  severity: "error",
  dismissible: false,
});

/** The SSD is broken on purpose: in sight as long as it is. */
function faultsBanner(rules: number, machine: Machine): Banner {
  const what = rules === 1 ? "a fault is armed" : `${rules} faults are armed`;
  return {
    message: `The SSD is broken on purpose: ${what}. The Faults tab beside the queues shows which.`,
    severity: "warning",
    actions: [{ label: "Back to normal", run: () => void machine.faults.clear().catch(() => {}) }],
    dismissible: false,
  };
}

/** A terminal that does not answer needs a reason in sight. */
function paceBanner(speed: Speed, machine: Machine): Banner {
  return {
    message:
      speed === "paused"
        ? "Paused: the machine, its terminal and its clock stand still. The queue view has single steps."
        : `Slow motion: the machine and its terminal go at 1/${speed}.`,
    severity: "information",
    actions: [{ label: "Full speed", run: () => machine.slowMotion.resume() }],
    dismissible: false,
  };
}

function savedBanner(actions: Actions): Banner {
  return {
    message:
      "All that was written is saved again. A file system that Linux made read-only meanwhile stays so until it is mounted anew: unmount and mount it, or press Reset for the system disk.",
    severity: "information",
    actions: [{ label: "Reset", run: () => void actions.reset() }],
    dismissible: true,
  };
}

/** A kernel that panics never says so to the machine: all that shows is that no prompt comes. */
function slowBanner(actions: Actions): Banner {
  return {
    message:
      "This boot takes much longer than usual. The terminal may show why; Reset starts over, and Reset disks… helps when the system disk is damaged.",
    severity: "warning",
    actions: [{ label: "Reset", run: () => void actions.reset() }],
    dismissible: true,
  };
}

function stateBanner(machine: Machine, actions: Actions): Banner | undefined {
  const { stateDetail: detail } = machine;
  switch (machine.state) {
    case "failed":
      return {
        message: detail ?? "The machine stopped unexpectedly. What was flushed to its disks is still there.",
        severity: "error",
        actions: [{ label: "Restart", run: () => void actions.reset() }],
        dismissible: false,
      };
    case "stopped":
      return {
        message: detail ?? "The machine is switched off; its disks are flushed.",
        severity: "information",
        actions: [{ label: "Switch on", run: () => void actions.reset() }],
        dismissible: false,
      };
    case "blocked":
      // Every other reason has a panel, in place of a terminal that has nothing to show.
      if (machine.blockade?.reason !== "taken-over") return undefined;
      return {
        message: `${machine.blockade.detail} The terminal shows how this session ended.`,
        severity: "warning",
        actions: [
          { label: "Take it back", run: () => void actions.takeOver() },
          { label: "Open read-only", run: () => void actions.openReadOnly() },
        ],
        dismissible: false,
      };
    case "running":
      if (!machine.rescue) return undefined;
      return {
        message:
          "This is the rescue shell: Linux could not mount its system disk, or you asked for it. You can try to repair the disk here, or put the shipped image back.",
        severity: "warning",
        actions: [{ label: "Reset disks…", run: () => void actions.resetDisks() }],
        dismissible: true,
      };
    default:
      return undefined;
  }
}

function draw(banner: Banner, dismiss: () => void): HTMLElement {
  const node = element("div", { class: "banner", role: "alert", "data-severity": banner.severity });
  node.append(
    element("span", { class: "icon", "aria-hidden": "true" }, icons[banner.severity]),
    element("p", {}, banner.message),
  );
  const buttons = element("div", { class: "buttons" });
  for (const { label, run } of banner.actions ?? []) buttons.append(button(label, run));
  if (banner.dismissible) buttons.append(button("Dismiss", dismiss));
  node.append(buttons);
  return node;
}
