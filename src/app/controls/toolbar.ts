/** The buttons at the top. */
import { type Dispose, element } from "../dom.ts";
import type { Actions } from "./actions.ts";

export interface Toolbar {
  focus(): void;
  /** Says on its button whether the panel is open. */
  showPanelOpen(isOpen: boolean): void;
  dispose: Dispose;
}

/** What the buttons lead to that is no action on the machine. */
export interface ToolbarLinks {
  help(): void;
  disks(): void;
  /** Opens or closes the panel with the queue view. */
  panel(): void;
  /** Returns the focus to the terminal (F6 again). */
  back(): void;
}

/** Mounts the toolbar into `el`. */
export function mountToolbar(el: HTMLElement, actions: Actions, links: ToolbarLinks): Toolbar {
  const reset = button("Reset", "Press the computer’s reset button", () => actions.reset());
  const queues = button("Queues", "Watch the NVMe queues and their doorbells", links.panel);
  queues.setAttribute("aria-pressed", "false");
  const bar = element(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Machine" },
    reset,
    button("Reset disks…", "Put the shipped system back, or empty the scratch disk", () =>
      actions.resetDisks(),
    ),
    button("Disks…", "Make, import, export and attach disks", links.disks),
    queues,
    button("What am I looking at?", "A short explanation, and commands to try", links.help),
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
    showPanelOpen: isOpen => queues.setAttribute("aria-pressed", String(isOpen)),
    dispose: () => {
      document.removeEventListener("keydown", onKey);
      el.replaceChildren();
    },
  };
}

function button(label: string, title: string, action: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", title }, label);
  made.addEventListener("click", action);
  return made;
}
