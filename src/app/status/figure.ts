/** A figure of the status line: a term, its tooltip, and values that keep their width. */
import { element } from "../dom.ts";
import { type Term, terms } from "./terms.ts";

/** A figure made of any parts. */
export function figure(term: Term, label: string, ...parts: (Node | string)[]): HTMLElement {
  return element(
    "div",
    { class: "figure", title: terms[term] },
    element("dt", {}, label),
    element("dd", {}, ...parts),
  );
}

export interface NumberFigure {
  readonly root: HTMLElement;
  readonly value: HTMLElement;
}

/** A number under its label, both to the right, with room for `digits` digits so that its neighbours stay put. */
export function numberFigure(term: Term, label: string, digits: number): NumberFigure {
  const value = element("span", { class: "number" }, "0");
  value.style.setProperty("--digits", String(digits));
  const root = figure(term, label, value);
  root.classList.add("numeric");
  return { root, value };
}

/** Icon, what its colour means, word. */
export type Appearance = readonly [icon: string, meaning: "good" | "busy" | "bad" | "idle", word: string];

/** A word with an icon before it: the icon's shape and colour say the same as the word. */
export interface Sign {
  readonly root: HTMLElement;
  show(...appearance: Appearance): void;
}

/** Makes a sign with room for `letters` letters. */
export function sign(letters: number): Sign {
  const iconNode = element("span", { class: "icon", "aria-hidden": "true" });
  const wordNode = element("span", { class: "word" });
  wordNode.style.setProperty("--letters", String(letters));
  const root = element("span", { class: "sign" }, iconNode, wordNode);
  let shown = "";
  return {
    root,
    show(icon, meaning, word) {
      const key = `${icon}${meaning}${word}`;
      if (key === shown) return;
      shown = key;
      iconNode.textContent = icon;
      iconNode.dataset.meaning = meaning;
      wordNode.textContent = word;
    },
  };
}
