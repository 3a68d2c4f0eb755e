/** "Reset disks…": asks which disks to throw away, and says what is lost. */
import type { DiskStatus } from "../../machine/api.ts";
import { element, setText } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { closed, openDialog } from "./dialog.ts";

export type WhichDisks = "system" | "scratch" | "all";

const choices: readonly {
  readonly which: WhichDisks;
  readonly label: string;
  readonly loss: string;
  readonly confirm: string;
}[] = [
  {
    which: "system",
    label: "System disk",
    loss: "Becomes the shipped image again: every file you changed or made in Linux is lost.",
    confirm: "Reset system disk",
  },
  {
    which: "scratch",
    label: "Scratch disk",
    loss: "Becomes empty: everything written to it is lost.",
    confirm: "Empty scratch disk",
  },
  {
    which: "all",
    label: "Both disks",
    loss: "The computer is as on the first visit: everything on both disks is lost.",
    confirm: "Reset both disks",
  },
];

/** Resolves to the choice, or undefined when it was cancelled. */
export async function askWhichDisks(disks: readonly DiskStatus[]): Promise<WhichDisks | undefined> {
  const confirm = element("button", { value: "yes", class: "danger" }, choices[0].confirm);
  const fieldset = element("fieldset", {}, element("legend", {}, "Which disk?"));
  for (const { which, label, loss, confirm: action } of choices) {
    const radio = element("input", {
      type: "radio",
      name: "which",
      value: which,
      checked: which === "system",
    });
    radio.addEventListener("change", () => setText(confirm, action));
    const text = element(
      "span",
      {},
      element("strong", {}, label),
      usage(disks, which),
      element("span", { class: "explanation" }, loss),
    );
    fieldset.append(element("label", { class: "choice" }, radio, text));
  }
  const dialog = openDialog("Reset disks", [
    fieldset,
    element("p", {}, "The machine restarts afterwards. This cannot be undone."),
    element(
      "div",
      { class: "buttons" },
      element("button", { value: "cancel", autofocus: true }, "Cancel"),
      confirm,
    ),
  ]);
  if ((await closed(dialog)) !== "yes") return undefined;
  const chosen = fieldset.querySelector<HTMLInputElement>("input:checked")?.value;
  return choices.find(choice => choice.which === chosen)?.which;
}

/** How much the disks hold now; nothing when the machine cannot say. */
function usage(disks: readonly DiskStatus[], which: WhichDisks): string {
  const chosen = disks.filter(disk => which === "all" || disk.name === which);
  if (chosen.length === 0) return "";
  return ` — ${formatBytes(chosen.reduce((sum, disk) => sum + disk.allocatedBytes, 0))} now`;
}
