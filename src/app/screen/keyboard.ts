/** The page's keyboard as the guest's: an element that takes the focus, and sends what is typed there. */
import type { MachineScreen } from "../../machine/screen_protocol.ts";
import { type Dispose, element } from "../dom.ts";
import { chord, scanCodes, typed } from "./scan_codes.ts";
import { editBetween } from "./text_edits.ts";

/** What the field holds at rest. Never empty, or a phone would not tell of deletions. */
const REST = " ";

export interface Keyboard {
  /** A text field that nobody sees: with it a phone's keyboard comes up too. */
  readonly root: HTMLTextAreaElement;
  dispose: Dispose;
}

/** `leave` moves the focus out of it (F6). */
export function makeKeyboard(screen: MachineScreen, leave: () => void): Keyboard {
  const root = element("textarea", {
    class: "machine-keyboard",
    "aria-label": "Keyboard of the machine. Press F6 to leave it.",
    autocapitalize: "off",
    autocomplete: "off",
    autocorrect: "off",
    spellcheck: "false",
    rows: "1",
  });
  const pressed = new Set<string>();
  const send = (...groups: (readonly number[])[]) => screen.send({ kind: "keys", groups });

  const onKey = (event: KeyboardEvent) => {
    const down = event.type === "keydown";
    if (event.code === "F6" && !event.shiftKey && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      if (down) leave();
      return;
    }
    // Pasting is typing: the browser's own event brings the text.
    if (event.code === "KeyV" && event.ctrlKey && event.shiftKey) return;
    // An on-screen keyboard, or a character that is being composed: what comes of it is an input event.
    if (event.isComposing || event.key === "Unidentified" || event.key === "Process") return;
    const codes = scanCodes(event.code, down);
    if (!codes) return;
    event.preventDefault();
    // Windows has AltGr press Ctrl first, which the guest's own layout does not expect.
    const isAltGr = down && event.code === "AltRight" && event.getModifierState("AltGraph");
    if (isAltGr && pressed.delete("ControlLeft")) send(scanCodes("ControlLeft", false) ?? []);
    if (down) pressed.add(event.code);
    else if (!pressed.delete(event.code)) return;
    send(codes);
    // While it was held, some systems have not told of other keys that were let go.
    if (!down && event.code.startsWith("Meta")) releaseAll();
  };
  /** What is let go elsewhere is let go. */
  const releaseAll = () => {
    for (const code of pressed) send(scanCodes(code, false) ?? []);
    pressed.clear();
  };
  /** What the machine was told of. */
  let told = REST;
  const rest = () => {
    root.value = told = REST;
    root.setSelectionRange(REST.length, REST.length);
  };
  const tell = () => {
    const { deletions, text } = editBetween(told, root.value);
    told = root.value;
    send(...Array.from({ length: deletions }, () => chord("Backspace")), ...typed(text));
  };
  const onInput = (event: Event) => {
    tell();
    // The keyboard goes on with the word that it finds there.
    if (!(event as InputEvent).isComposing) rest();
  };
  const onComposed = () => {
    tell();
    rest();
  };
  const onPaste = (event: ClipboardEvent) => {
    event.preventDefault();
    send(...typed(event.clipboardData?.getData("text/plain") ?? ""));
  };
  rest();
  root.addEventListener("keydown", onKey);
  root.addEventListener("keyup", onKey);
  root.addEventListener("blur", releaseAll);
  root.addEventListener("input", onInput);
  root.addEventListener("compositionend", onComposed);
  root.addEventListener("paste", onPaste);
  return { root, dispose: releaseAll };
}
