/** The views beside the terminal, one at a time, as tabs. */
import type { Machine } from "../../machine/api.ts";
import { type Dispose, element } from "../dom.ts";
import { mountFaults } from "../faults/faults.ts";
import { mountQueues } from "../queues/queues.ts";
import { mountTiming } from "../timing/timing.ts";

const tabs = [
  ["queues", "Queues", mountQueues],
  ["timing", "Timing", mountTiming],
  ["faults", "Faults", mountFaults],
] as const;

/** Mounts the panel into `el`; `close` is called when its close button is pressed. */
export function mountPanel(el: HTMLElement, machine: Machine, close: () => void): Dispose {
  const view = element("div", { class: "view", role: "tabpanel" });
  const buttons = tabs.map(([name, label]) =>
    element("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab" }, label),
  );
  let dispose: Dispose = () => {};
  const select = (index: number) => {
    dispose();
    for (const [i, button] of buttons.entries()) {
      button.setAttribute("aria-selected", String(i === index));
      button.tabIndex = i === index ? 0 : -1;
    }
    const [name, , mount] = tabs[index];
    view.setAttribute("aria-labelledby", `tab-${name}`);
    dispose = mount(view, machine);
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
  const closeButton = element(
    "button",
    { type: "button", class: "quiet", "aria-label": "Close the panel" },
    "✕",
  );
  closeButton.addEventListener("click", close);
  el.replaceChildren(
    element(
      "header",
      { class: "panel-head" },
      element("div", { role: "tablist", "aria-label": "Views" }, ...buttons),
      closeButton,
    ),
    view,
  );
  select(0);
  return () => {
    dispose();
    el.replaceChildren();
  };
}
