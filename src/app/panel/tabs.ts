/** Views of which one is seen at a time, with a row of tabs over them. */
import { type Dispose, element } from "../dom.ts";

export interface Tab {
  readonly name: string;
  readonly label: string;
  mount(el: HTMLElement): Dispose;
}

export interface Tabs {
  /** The row of tabs. */
  readonly list: HTMLElement;
  /** Where the view is. */
  readonly view: HTMLElement;
  /** Shows the tab of that name, or the present one, anew. */
  show(name?: string): void;
  dispose: Dispose;
}

/** `shown` is told the name of the tab that is chosen. */
export function makeTabs(tabs: readonly Tab[], shown: (name: string) => void = () => {}): Tabs {
  const view = element("div", { class: "view", role: "tabpanel" });
  const buttons = tabs.map(({ name, label }) =>
    element("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab" }, label),
  );
  let dispose: Dispose = () => {};
  let present = 0;
  /** The row is wider than a phone. */
  const reveal = () => buttons[present].scrollIntoView({ block: "nearest", inline: "nearest" });
  const select = (index: number) => {
    dispose();
    present = index;
    for (const [i, button] of buttons.entries()) {
      button.setAttribute("aria-selected", String(i === index));
      button.tabIndex = i === index ? 0 : -1;
    }
    const { name, mount } = tabs[index];
    view.setAttribute("aria-labelledby", `tab-${name}`);
    reveal();
    dispose = mount(view);
    shown(name);
  };
  for (const [i, button] of buttons.entries()) {
    button.addEventListener("click", () => select(i));
    button.addEventListener("keydown", event => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (step === 0) return;
      const next = (i + step + tabs.length) % tabs.length;
      select(next);
      buttons[next].focus();
    });
  }
  const list = element("div", { role: "tablist", "aria-label": "Views" }, ...buttons);
  const resized = new ResizeObserver(reveal);
  resized.observe(list);
  return {
    list,
    view,
    show(name) {
      const index = tabs.findIndex(tab => tab.name === name);
      select(index < 0 ? present : index);
    },
    dispose() {
      resized.disconnect();
      dispose();
    },
  };
}
