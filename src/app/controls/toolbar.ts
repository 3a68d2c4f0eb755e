/** The buttons at the top. */
import { button, type Dispose, element } from "../dom.ts";
import type { Actions } from "./actions.ts";

export interface Toolbar {
  focus(): void;
  /** Says on its button whether the panel is open. */
  showPanelOpen(isOpen: boolean): void;
  dispose: Dispose;
}

/** What the buttons lead to that is no action on the machine. */
export interface ToolbarLinks {
  help?(): void;
  /** The built-in machine's disks: makes, resets, attaches them. */
  disks?(): void;
  machines(): void;
  snapshots?(): void;
  /** Opens or closes the panel with the views. */
  panel(): void;
  /** Returns the focus to the terminal (F6 again). */
  back(): void;
}

/** Mounts the toolbar into `el`. */
export function mountToolbar(el: HTMLElement, actions: Actions, links: ToolbarLinks): Toolbar {
  const reset = button("Reset", () => actions.reset(), { title: "Press the computer’s reset button" });
  const views = button("Views", links.panel, {
    title: "Queues, timing, lessons, benchmark, faults and settings, beside the terminal",
  });
  views.setAttribute("aria-pressed", "false");
  const bar = element(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Machine" },
    reset,
    ...(links.disks
      ? [
          button("Reset disks…", () => actions.resetDisks(), {
            title: "Put the shipped system back, or empty the scratch disk",
          }),
          button("Disks…", links.disks, { title: "Make, import, export and attach disks" }),
        ]
      : []),
    button("Machines…", links.machines, {
      title: "Start a machine of your own: a CD image, a disk, a floppy, a kernel",
    }),
    ...(links.snapshots
      ? [
          button("Snapshots…", links.snapshots, {
            title: "Save the whole machine, and go on from there later",
          }),
        ]
      : []),
    views,
    ...(links.help
      ? [button("What am I looking at?", links.help, { title: "A short explanation, and commands to try" })]
      : []),
  );
  el.replaceChildren(bar);
  const onKey = (event: KeyboardEvent) => {
    // From inside the terminal F6 never gets here: the terminal handles it.
    if (event.key !== "F6" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    links.back();
  };
  document.addEventListener("keydown", onKey);
  return {
    focus: () => reset.focus(),
    showPanelOpen: isOpen => views.setAttribute("aria-pressed", String(isOpen)),
    dispose: () => {
      document.removeEventListener("keydown", onKey);
      el.replaceChildren();
    },
  };
}
