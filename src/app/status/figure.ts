/** A figure of the status line: a term, its tooltip, and values that keep their width. */
import { element } from "../dom.ts";
import { type Term, terms } from "./terms.ts";

export interface Figure {
  readonly root: HTMLElement;
  readonly value: HTMLElement;
}

/** A labelled group; `parts` are its values and units in order. */
export function figure(term: Term, label: string, ...parts: (Node | string)[]): Figure {
  const value = element("dd", {}, ...parts);
  const root = element("div", { class: "figure", title: terms[term] }, element("dt", {}, label), value);
  return { root, value };
}

/** A number that is right-aligned in room for `digits` characters, so that nothing beside it moves. */
export function number(digits: number, term?: Term): HTMLElement {
  const node = element("span", { class: "number", ...(term && { title: terms[term] }) }, "0");
  node.style.setProperty("--digits", String(digits));
  return node;
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
