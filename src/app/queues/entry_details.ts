/** One entry, decoded and as the bytes that it is. */
import type { DecodedField } from "../../devices/nvme/spec/decode.ts";
import { element } from "../dom.ts";

export interface EntryDetails {
  readonly root: HTMLElement;
  /** `known` names the fields that are known, where that is not all of them. */
  show(
    title: string,
    fields: readonly DecodedField[],
    words: Uint32Array,
    known: ReadonlySet<string> | undefined,
  ): void;
  hide(): void;
}

export function makeEntryDetails(): EntryDetails {
  const heading = element("h3", {});
  const close = element("button", { type: "button", class: "quiet" }, "Close");
  const rows = element("tbody", {});
  const bytes = element("pre", { class: "bytes", tabindex: "0", "aria-label": "Raw bytes" });
  const root = element(
    "section",
    { class: "entry-details", "aria-live": "polite" },
    element("header", {}, heading, close),
    element("table", {}, rows),
    bytes,
  );
  root.hidden = true;
  let opener: HTMLElement | undefined;
  const hide = () => {
    root.hidden = true;
    opener?.focus();
    opener = undefined;
  };
  close.addEventListener("click", hide);
  root.addEventListener("keydown", event => {
    if (event.key === "Escape") hide();
  });
  return {
    root,
    hide,
    show(title, fields, words, known) {
      opener = document.activeElement instanceof HTMLElement ? document.activeElement : undefined;
      heading.textContent = title;
      rows.replaceChildren(
        ...fields
          .filter(({ name }) => known?.has(name) ?? true)
          .map(({ name, value, section }) =>
            element(
              "tr",
              {},
              element("th", { scope: "row" }, name),
              element("td", {}, value),
              element("td", { class: "section", title: "Section of NVMe 1.4" }, section),
            ),
          ),
      );
      bytes.textContent = known
        ? "A saved trace has these fields of an entry, and not its bytes."
        : hexDump(words);
      root.hidden = false;
      root.scrollIntoView({ block: "nearest" });
      close.focus({ preventScroll: true });
    },
  };
}

/** Lines of an offset and 16 bytes, as they lie in memory (little-endian words). */
export function hexDump(words: Uint32Array): string {
  const bytes = [...words].flatMap(word => [word, word >>> 8, word >>> 16, word >>> 24].map(b => b & 0xff));
  const two = (value: number) => value.toString(16).padStart(2, "0");
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    lines.push(
      `${two(at)}  ${bytes
        .slice(at, at + 16)
        .map(two)
        .join(" ")}`,
    );
  }
  return lines.join("\n");
}
