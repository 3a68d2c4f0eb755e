/** The keys that a phone's keyboard lacks. Shown by CSS where the pointer is coarse. */
import { element } from "../dom.ts";

const keys: readonly { readonly label: string; readonly name: string; readonly sequence: string }[] = [
  { label: "Tab", name: "Tab", sequence: "\t" },
  { label: "Esc", name: "Escape", sequence: "\x1b" },
  { label: "Ctrl-C", name: "Control C", sequence: "\x03" },
  { label: "Ctrl-D", name: "Control D", sequence: "\x04" },
  { label: "↑", name: "Arrow up", sequence: "\x1b[A" },
  { label: "↓", name: "Arrow down", sequence: "\x1b[B" },
  { label: "←", name: "Arrow left", sequence: "\x1b[D" },
  { label: "→", name: "Arrow right", sequence: "\x1b[C" },
];

/** Makes the bar; `press` gets what the key sends. */
export function keyBar(press: (sequence: string) => void): HTMLElement {
  const bar = element("div", { class: "key-bar", role: "group", "aria-label": "Terminal keys" });
  for (const { label, name, sequence } of keys) {
    const button = element("button", { type: "button", "aria-label": name }, label);
    // Taking the focus from the terminal would close the phone's keyboard.
    button.addEventListener("pointerdown", event => event.preventDefault());
    button.addEventListener("click", () => press(sequence));
    bar.append(button);
  }
  return bar;
}
