/** The buttons at the top. */
import { type Dispose, element } from "../dom.ts";
import type { Actions } from "./actions.ts";

export interface Toolbar {
  focus(): void;
  dispose: Dispose;
}

/** Mounts the toolbar; `back` returns the focus to the terminal (F6 again). */
export function mountToolbar(el: HTMLElement, actions: Actions, help: () => void, back: () => void): Toolbar {
  const reset = button("Reset", "Press the computer’s reset button", () => actions.reset());
  const bar = element(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Machine" },
    reset,
    button("Reset disks…", "Put the shipped system back, or empty the scratch disk", () =>
      actions.resetDisks(),
    ),
    button("What am I looking at?", "A short explanation, and commands to try", help),
  );
  el.replaceChildren(bar);
  const onKey = (event: KeyboardEvent) => {
    // From inside the terminal F6 never gets here: the terminal handles it.
    if (event.key !== "F6" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    back();
  };
  document.addEventListener("keydown", onKey);
  return {
    focus: () => reset.focus(),
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
