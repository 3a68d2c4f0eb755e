/** Imports, exports and clones that are under way, with their progress. They go on when the dialog is closed. */
import type { TransferOptions } from "../../machine/api.ts";
import { element, setText } from "../dom.ts";
import { formatBytes } from "../format.ts";

export interface Transfers {
  /** A list of what is under way; empty when nothing is. */
  readonly root: HTMLElement;
  /** Shows some work until it ends, with a button that cancels it. Settles as the work does; undefined if it was cancelled. */
  run<T>(what: string, work: (options: TransferOptions) => Promise<T>): Promise<T | undefined>;
}

export function makeTransfers(): Transfers {
  const root = element("ul", { class: "transfers", "aria-label": "Under way" });
  return {
    root,
    async run(what, work) {
      const abort = new AbortController();
      const bar = element("progress", { max: "1", "aria-label": what });
      const figures = element("span", { class: "explanation" });
      const cancel = element("button", { type: "button" }, "Cancel");
      cancel.addEventListener("click", () => {
        cancel.disabled = true;
        setText(figures, "cancelling…");
        abort.abort();
      });
      const row = element("li", {}, element("span", {}, what), bar, figures, cancel);
      root.append(row);
      try {
        return await work({
          signal: abort.signal,
          onProgress(done, total) {
            if (abort.signal.aborted) return;
            bar.value = total > 0 ? done / total : 0;
            setText(figures, `${formatBytes(done)} of ${formatBytes(total)}`);
          },
        });
      } catch (error) {
        if (abort.signal.aborted) return undefined;
        throw error;
      } finally {
        row.remove();
      }
    },
  };
}
