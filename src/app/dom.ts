/** The page's DOM helpers: they make elements with attributes and children. */

type Attributes = Readonly<Record<string, string | boolean>>;

/** `true` sets an empty attribute, `false` leaves it out. Text goes in as text: no markup is ever parsed. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A button that does something. */
export function button(label: string, action: () => unknown, attributes: Attributes = {}): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", () => void action());
  return made;
}

/** Writes text only when it differs, so that a status line that stands still costs no layout. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Undoes what a view did; views return one. */
export type Dispose = () => void;

/** One of the places that index.html has for views. */
export function slot(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element #${id}`);
  return found;
}
