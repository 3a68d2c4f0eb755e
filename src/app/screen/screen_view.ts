/** Screen, keyboard and mouse of a machine of one's own, with its serial console a tab away. */
import type { MachineScreen } from "../../machine/screen_protocol.ts";
import { button, type Dispose, element, setText } from "../dom.ts";
import { makeKeyboard } from "./keyboard.ts";
import { canCapture, makeMouse } from "./mouse.ts";
import { makePictureView } from "./picture_view.ts";
import { chord } from "./scan_codes.ts";

export interface ScreenView {
  /** Of what is shown: screen or console. */
  focus(): void;
  /** The text screen's lines; empty in graphics mode. */
  text(): string;
  dispose: Dispose;
}

/** Keys that browsers, or this page, keep for themselves. */
const specialKeys: readonly (readonly [label: string, codes: readonly string[]])[] = [
  ["Ctrl + Alt + Del", ["ControlLeft", "AltLeft", "Delete"]],
  ["Esc", ["Escape"]],
  ["F6", ["F6"]],
  ["F11", ["F11"]],
  ["F12", ["F12"]],
  ["Alt + Tab", ["AltLeft", "Tab"]],
  ["Alt + F4", ["AltLeft", "F4"]],
  ["Ctrl + W", ["ControlLeft", "KeyW"]],
  ["Ctrl + Alt + F1", ["ControlLeft", "AltLeft", "F1"]],
  ["Ctrl + Alt + F2", ["ControlLeft", "AltLeft", "F2"]],
  ["Windows", ["MetaLeft"]],
  ["Print Screen", ["PrintScreen"]],
];

/**
 * Mounts it into `el`, beside `console`, of which one is shown at a time. `leave` moves the focus out of it (F6), and
 * `consoleShown` is called when the console is.
 */
export function mountScreen(
  el: HTMLElement,
  console: { readonly root: HTMLElement; focus(): void },
  screen: MachineScreen,
  leave: () => void,
): ScreenView {
  const hint = element("span", { class: "hint", role: "status" });
  const picture = makePictureView(() => showHint());
  const keyboard = makeKeyboard(screen, leave);
  const monitor = element("div", { class: "monitor" }, picture.root, keyboard.root);
  let isCaptured = false;
  const mouse = makeMouse(monitor, screen, captured => {
    isCaptured = captured;
    monitor.classList.toggle("captured", captured);
    showHint();
    if (captured) keyboard.root.focus({ preventScroll: true });
  });
  const showHint = () => {
    setText(
      hint,
      isCaptured
        ? "The mouse is in the machine. Esc lets it out."
        : document.activeElement === keyboard.root
          ? `Keys go to the machine. F6 leaves it.${picture.isGraphical && canCapture() ? " A click puts the mouse into it." : ""}`
          : "Click the screen to type.",
    );
  };
  keyboard.root.addEventListener("focus", showHint);
  keyboard.root.addEventListener("blur", showHint);

  const keys = element(
    "select",
    { "aria-label": "Send keys" },
    element("option", { value: "" }, "Send keys…"),
  );
  for (const [label] of specialKeys) keys.append(element("option", {}, label));
  keys.addEventListener("change", () => {
    const found = specialKeys.find(([label]) => label === keys.value);
    keys.selectedIndex = 0;
    if (found) screen.send({ kind: "keys", groups: [chord(...found[1])] });
    keyboard.root.focus();
  });
  const useMouse = button("Use mouse", () => mouse.capture(), {
    title: "Puts the mouse into the machine; Esc lets it out again",
  });

  const fullScreen = button("Full screen", () => {
    // Refused where the page is embedded without leave: then it stays as it is.
    monitor.requestFullscreen().catch(() => {});
    keyboard.root.focus({ preventScroll: true });
  });

  let isOnScreen = true;
  const tab = (label: string, onScreen: boolean) =>
    button(label, () => show(onScreen), { role: "tab", class: "tab" });
  const tabs = [tab("Screen", true), tab("Serial console", false)];
  const head = element(
    "div",
    { class: "screen-head" },
    element("div", { class: "tabs", role: "tablist", "aria-label": "What is shown of the machine" }, ...tabs),
    hint,
    element("div", { class: "screen-tools" }, keys, ...(canCapture() ? [useMouse] : []), fullScreen),
  );
  el.replaceChildren(head, monitor);

  const show = (onScreen: boolean) => {
    isOnScreen = onScreen;
    for (const part of [monitor, keys, useMouse, fullScreen, hint]) part.hidden = !onScreen;
    el.classList.toggle("head-only", !onScreen);
    console.root.hidden = onScreen;
    for (const [index, each] of tabs.entries()) {
      const isShown = (index === 0) === onScreen;
      each.setAttribute("aria-selected", String(isShown));
      each.tabIndex = isShown ? 0 : -1;
    }
    watch(onScreen);
    view.focus();
  };
  head.addEventListener("keydown", event => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    if (!tabs.some(each => each === event.target)) return;
    event.preventDefault();
    show(!isOnScreen);
    tabs[isOnScreen ? 0 : 1].focus();
  });
  let unwatch: Dispose | undefined;
  const watch = (on: boolean) => {
    unwatch?.();
    unwatch = on ? screen.watch(update => picture.update(update)) : undefined;
  };

  monitor.addEventListener("mousedown", event => {
    // Selecting text must not lose the selection to the keyboard: it has the focus once the button is up.
    if (picture.isGraphical) event.preventDefault();
  });
  monitor.addEventListener("click", () => {
    if (isCaptured || !(document.getSelection()?.isCollapsed ?? true)) return;
    keyboard.root.focus({ preventScroll: true });
    if (picture.isGraphical) mouse.capture();
  });

  const view: ScreenView = {
    focus: () => (isOnScreen ? keyboard.root.focus({ preventScroll: true }) : console.focus()),
    text: () => picture.text,
    dispose() {
      watch(false);
      mouse.dispose();
      keyboard.dispose();
      picture.dispose();
      el.replaceChildren();
    },
  };
  show(true);
  showHint();
  return view;
}
