/** How saved traces get into the page: from a file dialog, or dropped. */
import type { SavedTrace } from "../../trace/saved_trace.ts";
import { type Dispose, element, setText } from "../dom.ts";
import { openTrace } from "./open_trace.ts";

export interface OpenedTrace {
  readonly name: string;
  readonly trace: SavedTrace;
}

export interface TraceOpener {
  /** Says what is going on, and what went wrong; empty otherwise. */
  readonly root: HTMLElement;
  /** Asks for a file. */
  pick(): void;
  dispose: Dispose;
}

/** Takes files that are dropped onto `el`; `opened` is called with each that is a trace. */
export function takeTraces(el: HTMLElement, opened: (trace: OpenedTrace) => void): TraceOpener {
  const file = element("input", {
    type: "file",
    accept: ".json,application/json",
    class: "visually-hidden",
    tabindex: "-1",
    "aria-label": "Trace file",
  });
  const message = element("p", { class: "problem", role: "status" });
  const root = element("div", { class: "trace-opener" }, file, message);
  let latest = 0;

  const open = async (chosen: File) => {
    const number = ++latest;
    root.classList.remove("failed");
    setText(message, `Reading ${chosen.name}…`);
    try {
      const trace = await openTrace(chosen);
      if (number !== latest) return;
      setText(message, "");
      opened({ name: chosen.name, trace });
    } catch (error) {
      if (number !== latest) return;
      root.classList.add("failed");
      setText(message, `✕ ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) void open(chosen);
    // The same file may be chosen again.
    file.value = "";
  });
  const over = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    el.classList.add("dropping");
  };
  const leave = () => el.classList.remove("dropping");
  const drop = (event: DragEvent) => {
    leave();
    const [dropped] = event.dataTransfer?.files ?? [];
    if (!dropped) return;
    event.preventDefault();
    void open(dropped);
  };
  el.addEventListener("dragover", over);
  el.addEventListener("dragleave", leave);
  el.addEventListener("drop", drop);
  return {
    root,
    pick: () => file.click(),
    dispose() {
      latest += 1;
      leave();
      el.removeEventListener("dragover", over);
      el.removeEventListener("dragleave", leave);
      el.removeEventListener("drop", drop);
    },
  };
}
