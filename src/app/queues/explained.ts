/** Labels that explain themselves: pointing at one, or moving the focus there, shows its sentence at one place. */
import { element } from "../dom.ts";
import { type QueueTerm, queueTerms } from "./terms.ts";

export interface Explainer {
  /** Where the sentences appear. */
  readonly root: HTMLElement;
  /** A label with a sentence. */
  label(term: QueueTerm, text: string, ...before: Node[]): HTMLElement;
}

const idleText =
  "Point at a label, or move the focus to it, and it is explained here. Click an entry to read it.";

export function makeExplainer(): Explainer {
  const root = element("p", { class: "explainer", id: "queue-explainer" }, idleText);
  return {
    root,
    label(term, text, ...before) {
      const label = element("button", { type: "button", class: "term", "aria-describedby": root.id });
      label.append(...before, text);
      const show = () => {
        root.textContent = queueTerms[term];
      };
      label.addEventListener("pointerenter", show);
      label.addEventListener("focus", show);
      label.addEventListener("click", show);
      return label;
    },
  };
}
