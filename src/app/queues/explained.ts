/** Labels that explain themselves: pointing at one, or moving the focus there, shows its sentence at one place. */
import { element } from "../dom.ts";
import { type QueueTerm, queueTerms } from "./terms.ts";

export interface Explainer {
  /** Where the sentences appear. */
  readonly root: HTMLElement;
  /** A label with a sentence. */
  label(term: QueueTerm, text: string, ...before: Node[]): HTMLElement;
  /** Highlights the labels of these terms, and no others, those that are yet to be made as well. */
  highlight(terms: readonly QueueTerm[]): void;
}

const idleText =
  "Point at a label, or move the focus to it, and it is explained here. Click an entry to read it.";

export function makeExplainer(): Explainer {
  const root = element("p", { class: "explainer", id: "queue-explainer" }, idleText);
  const labels: { readonly term: QueueTerm; readonly label: HTMLElement }[] = [];
  let highlighted: readonly QueueTerm[] = [];
  return {
    root,
    highlight(terms) {
      highlighted = terms;
      for (const { term, label } of labels) label.classList.toggle("highlighted", terms.includes(term));
    },
    label(term, text, ...before) {
      const label = element("button", { type: "button", class: "term", "aria-describedby": root.id });
      label.append(...before, text);
      label.classList.toggle("highlighted", highlighted.includes(term));
      labels.push({ term, label });
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
