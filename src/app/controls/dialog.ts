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

export interface TextQuestion {
  readonly title: string;
  readonly body?: string;
  readonly label: string;
  /** What stands in the field at first, selected. */
  readonly value: string;
  readonly confirm: string;
}

/** Asks for a line of text; Enter confirms. Resolves to it, trimmed, or to undefined when it was cancelled. */
export async function askFor({
  title,
  body,
  label,
  value,
  confirm,
}: TextQuestion): Promise<string | undefined> {
  const input = element("input", { id: "dialog-answer", value, autofocus: true, autocomplete: "off" });
  const answer = element("div", { class: "answer" }, element("label", { for: input.id }, label), input);
  const yes = element("button", { value: "yes" }, confirm);
  const cancel = element("button", { type: "button" }, "Cancel");
  const dialog = openDialog(title, [
    ...(body === undefined ? [] : [element("p", {}, body)]),
    answer,
    element("div", { class: "buttons" }, cancel, yes),
  ]);
  cancel.addEventListener("click", () => dialog.close("cancel"));
  input.select();
  return (await closed(dialog)) === "yes" ? input.value.trim() : undefined;
}

/** Shows a modal dialog whose children live in one form, so that any of its buttons closes it. */
export function openDialog(title: string, children: readonly (Node | string)[]): HTMLDialogElement {
  return show(title, heading => element("form", { method: "dialog" }, heading, ...children));
}

/** Shows a modal dialog that has forms and buttons of its own; Escape and a click beside it close it. */
export function openPanel(title: string, children: readonly (Node | string)[]): HTMLDialogElement {
  return show(title, heading => element("div", { class: "dialog-body" }, heading, ...children));
}

/** Dialogs may be above each other: each has a heading of its own. */
let shown = 0;

function show(title: string, contentOf: (heading: HTMLElement) => HTMLElement): HTMLDialogElement {
  const id = `dialog-title-${++shown}`;
  const content = contentOf(element("h2", { id }, title));
  const dialog = element("dialog", { "aria-labelledby": id }, content);
  dialog.addEventListener("click", event => {
    // A click on the backdrop hits the dialog itself; all that is inside belongs to its content.
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
