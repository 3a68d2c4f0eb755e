/** The guest's serial console: an xterm that fills the window. */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import type { Machine } from "../../machine/api.ts";
import { type Dispose, element } from "../dom.ts";
import { keep, kept } from "../kept.ts";
import { keyBar } from "./key_bar.ts";
import { OutputPacer } from "./output_pacer.ts";
import { terminalTheme } from "./theme.ts";

/** What the rest of the page can do with the terminal. */
export interface TerminalView {
  focus(): void;
  /** Types a command and Enter, as if by hand. */
  run(command: string): void;
  screenReaderMode: boolean;
  /** All lines, scrollback included, trailing blanks removed. */
  text(): string;
  dispose: Dispose;
}

/** Remembered over reloads: whoever needs it needs it each time. */
const screenReaderKey = "doorbell.screenReaderMode";

const narrow = matchMedia("(max-width: 600px)");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Puts the terminal into `el`. `leave` moves the keyboard focus out of it (F6). */
export function mountTerminal(el: HTMLElement, machine: Machine, leave: () => void): TerminalView {
  const terminal = new Terminal({
    fontFamily: "ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
    fontSize: fontSize(),
    // At 1 the rows of some fonts (DejaVu Sans Mono) are so low that the underscore is cut off.
    lineHeight: 1.2,
    scrollback: 10_000,
    theme: terminalTheme(prefersDark.matches),
    minimumContrastRatio: 4.5,
    cursorBlink: !reducedMotion.matches,
    screenReaderMode: kept(screenReaderKey) === "1",
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);

  const screen = element("div", { class: "screen" });
  el.replaceChildren(
    screen,
    keyBar(sequence => terminal.input(sequence)),
  );
  terminal.open(screen);
  terminal.textarea?.setAttribute("aria-label", "Linux console. Press F6 to leave it.");

  const pacer = new OutputPacer((data, done) => terminal.write(data, done));
  const off = [
    machine.on("output", bytes => pacer.push(bytes)),
    machine.on("state", state => {
      // A machine that is not running has no one to tell the size: say it again at the prompt.
      if (state === "running") resized(terminal.cols, terminal.rows);
      if (state !== "booting") return;
      // A new boot: full reset, or the old one's colours and modes would leak into it.
      pacer.clear();
      terminal.write("\x1bc");
    }),
    disposer(terminal.onData(text => machine.send(text))),
    disposer(terminal.onResize(({ cols, rows }) => resized(cols, rows))),
  ];

  terminal.attachCustomKeyEventHandler(event => handleKey(event, terminal, leave));

  // The guest is told once the window has come to rest: each change costs it a few thousand instructions.
  let resizeTimer = 0;
  const resized = (columns: number, rows: number) => {
    clearTimeout(resizeTimer);
    resizeTimer = window.setTimeout(() => machine.resize(columns, rows), 150);
  };
  let fitFrame = 0;
  const observer = new ResizeObserver(() => {
    cancelAnimationFrame(fitFrame);
    fitFrame = requestAnimationFrame(() => fit.fit());
  });
  observer.observe(screen);
  fit.fit();
  resized(terminal.cols, terminal.rows);

  const recolour = () => {
    terminal.options.theme = terminalTheme(prefersDark.matches);
  };
  const rescale = () => {
    terminal.options.fontSize = fontSize();
    fit.fit();
  };
  prefersDark.addEventListener("change", recolour);
  narrow.addEventListener("change", rescale);

  return {
    focus: () => terminal.focus(),
    run: command => {
      terminal.input(`${command}\r`);
      terminal.scrollToBottom();
    },
    get screenReaderMode() {
      return terminal.options.screenReaderMode === true;
    },
    set screenReaderMode(on) {
      terminal.options.screenReaderMode = on;
      keep(screenReaderKey, on ? "1" : "0");
    },
    text: () => allText(terminal),
    dispose: () => {
      for (const dispose of off) dispose();
      clearTimeout(resizeTimer);
      cancelAnimationFrame(fitFrame);
      observer.disconnect();
      prefersDark.removeEventListener("change", recolour);
      narrow.removeEventListener("change", rescale);
      terminal.dispose();
    },
  };
}

/** Keys that the page keeps for itself; false means that xterm must not handle the event. */
function handleKey(event: KeyboardEvent, terminal: Terminal, leave: () => void): boolean {
  if (event.key === "F6" && !event.shiftKey && !event.ctrlKey && !event.altKey) {
    if (event.type === "keydown") leave();
    event.preventDefault();
    return false;
  }
  if (!event.ctrlKey || !event.shiftKey) return true;
  switch (event.code) {
    case "KeyC":
      // Also without a selection: the browser would open its element picker.
      event.preventDefault();
      if (event.type === "keydown" && terminal.hasSelection()) {
        navigator.clipboard.writeText(terminal.getSelection()).catch(() => document.execCommand("copy"));
      }
      return false;
    case "KeyV":
      // The browser's own "paste as plain text" brings a paste event, which needs no permission.
      return false;
    default:
      return true;
  }
}

function fontSize(): number {
  return narrow.matches ? 12 : 14;
}

function allText(terminal: Terminal): string {
  const buffer = terminal.buffer.active;
  let text = "";
  for (let i = 0; i < buffer.length; i++) {
    const line = buffer.getLine(i);
    if (line === undefined) break;
    text += `${line.isWrapped || i === 0 ? "" : "\n"}${line.translateToString(true)}`;
  }
  return text.trimEnd();
}

function disposer(disposable: { dispose(): void }): Dispose {
  return () => disposable.dispose();
}
