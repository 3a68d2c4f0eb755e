/** The latest entries of a queue as a row of cells; a click on one opens it. */
import { element } from "../dom.ts";

/** What a cell's colour and letter say: the kind of command. */
export type CommandKind = "read" | "write" | "flush" | "discard" | "admin" | "other" | "none";

export interface Cell {
  readonly index: number;
  readonly kind: CommandKind;
  /** One or two letters. */
  readonly letter: string;
  /** What the cell's shape says. */
  readonly state: "empty" | "waiting" | "fetched" | "done" | "posted";
  readonly description: string;
}

export interface EntryStrip {
  readonly root: HTMLElement;
  /** `marked` is the index of an entry that stands out. */
  show(cells: readonly Cell[], marked?: number): void;
}

export function makeEntryStrip(name: string, open: (index: number) => void): EntryStrip {
  const root = element("div", { class: "entries", role: "group", "aria-label": `Latest entries of ${name}` });
  const buttons: { readonly button: HTMLButtonElement; cell: Cell | undefined; shown: string }[] = [];

  const add = () => {
    const button = element("button", { type: "button", class: "entry" });
    const entry = { button, cell: undefined as Cell | undefined, shown: "" };
    button.addEventListener("click", () => entry.cell && open(entry.cell.index));
    buttons.push(entry);
    root.append(button);
  };

  return {
    root,
    show(cells, marked) {
      while (buttons.length < cells.length) add();
      for (const [i, entry] of buttons.entries()) {
        const cell = cells[i];
        entry.button.hidden = cell === undefined;
        entry.cell = cell;
        if (!cell) continue;
        const isMarked = cell.index === marked;
        const shown = `${cell.description}|${cell.letter}|${isMarked}`;
        if (shown === entry.shown) continue;
        entry.shown = shown;
        entry.button.classList.toggle("marked", isMarked);
        entry.button.dataset.kind = cell.kind;
        entry.button.dataset.state = cell.state;
        entry.button.textContent = cell.letter;
        entry.button.title = cell.description;
        entry.button.setAttribute("aria-label", cell.description);
      }
    },
  };
}
