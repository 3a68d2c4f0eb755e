/** Modal dialogs: <dialog> does the focus trap, Escape and the return of the focus. */
import { element } from "../dom.ts";

export interface Question {
  readonly title: string;
  readonly body: readonly (Node | string)[];
  readonly confirm: string;
}

/** Asks; resolves to whether the answer was yes. The focus begins on Cancel, as the yes costs data. */
export async function ask({ title, body, confirm }: Question): Promise<boolean> {
  const cancel = element("button", { value: "cancel", autofocus: true }, "Cancel");
  const yes = element("button", { value: "yes", class: "danger" }, confirm);
  const dialog = openDialog(title, [...body, element("div", { class: "buttons" }, cancel, yes)]);
  const answer = await closed(dialog);
  return answer === "yes";
}

/** Shows a modal dialog whose children live in one form, so that any of its buttons closes it. */
export function openDialog(title: string, children: readonly (Node | string)[]): HTMLDialogElement {
  const heading = element("h2", { id: "dialog-title" }, title);
  const form = element("form", { method: "dialog" }, heading, ...children);
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, form);
  dialog.addEventListener("click", event => {
    // A click on the backdrop hits the dialog itself; all that is inside belongs to the form.
    if (event.target === dialog) dialog.close("cancel");
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Resolves to the value of the button that closed the dialog, or "" for Escape. */
export function closed(dialog: HTMLDialogElement): Promise<string> {
  return new Promise(resolve => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}
