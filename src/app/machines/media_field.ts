/** A field of the machine form for an image: a file that is chosen, or an address that is typed. */
import type { ImageSource } from "../../machine/own/own_machine.ts";
import { button, element, setText } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { parseUrl } from "./link.ts";

export interface MediaField {
  readonly root: HTMLElement;
  /** Throws a sentence for what is no address. */
  value(): ImageSource | undefined;
  set(source: ImageSource | undefined): void;
}

export function mediaField(id: string, label: string): MediaField {
  let chosen: Extract<ImageSource, { kind: "file" }> | undefined;
  const address = element("input", {
    id,
    type: "text",
    placeholder: "none, or an address (https://…)",
    autocomplete: "off",
    spellcheck: "false",
  });
  const fileName = element("span", { class: "file-name" });
  const picker = element("input", {
    type: "file",
    class: "visually-hidden",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  const pick = button("File…", () => picker.click(), { "aria-label": `Choose a file: ${label}` });
  const clear = button("✕", () => set(undefined), { class: "quiet", "aria-label": `Remove: ${label}` });
  picker.addEventListener("change", () => {
    const file = picker.files?.[0];
    picker.value = "";
    if (file) set({ kind: "file", name: file.name, blob: file });
  });
  const set = (source: ImageSource | undefined) => {
    chosen = source?.kind === "file" ? source : undefined;
    address.value = source?.kind === "url" ? source.url : "";
    address.hidden = chosen !== undefined;
    fileName.hidden = clear.hidden = chosen === undefined;
    setText(fileName, chosen ? `${chosen.name} (${formatBytes(chosen.blob.size)})` : "");
  };
  set(undefined);
  return {
    root: element(
      "div",
      { class: "media-field" },
      element("label", { for: id }, label),
      element("span", { class: "media-value" }, address, fileName, clear, pick, picker),
    ),
    value: () => {
      if (chosen) return chosen;
      const text = address.value.trim();
      if (text === "") return undefined;
      const url = parseUrl(text, location.href);
      if (url === undefined) throw new Error(`${label}: “${text}” is no http or https address.`);
      return { kind: "url", url };
    },
    set,
  };
}
