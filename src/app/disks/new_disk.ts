/** The form for a new disk: an empty one, or one made of an image file. */
import type { NewCatalogueDisk, NewDiskOnImage } from "../../machine/api.ts";
import { element } from "../dom.ts";
import { sizeOf } from "./disk_actions.ts";
import { nameOfImage } from "./sizes.ts";

export type ImportedDisk = Omit<NewCatalogueDisk, "capacityBytes">;

export interface NewDiskForm {
  readonly root: HTMLElement;
  /** What a disk made of this file is to be: the form's settings, and the file's name if no name was typed. */
  forImage(file: File): ImportedDisk;
  clear(): void;
}

/** `create`, `createOnImage` and `importFile` do what the buttons say. */
export function newDiskForm(
  create: (disk: () => NewCatalogueDisk) => void,
  createOnImage: (disk: NewDiskOnImage) => void,
  importFile: (file: File) => void,
): NewDiskForm {
  const name = element("input", {
    id: "new-disk-name",
    maxlength: "48",
    autocomplete: "off",
    spellcheck: "false",
  });
  const size = element("input", { id: "new-disk-size", value: "1 GiB", autocomplete: "off", size: "9" });
  const block = element(
    "select",
    { id: "new-disk-block" },
    element("option", { value: "512" }, "512 B"),
    element("option", { value: "4096" }, "4096 B"),
  );
  const kind = element(
    "select",
    { id: "new-disk-kind" },
    element("option", { value: "indexeddb" }, "IndexedDB"),
    element("option", { value: "opfs" }, "files (OPFS)"),
    element("option", { value: "http" }, "server image + changes"),
  );
  const address = element("input", {
    id: "new-disk-address",
    type: "url",
    placeholder: "https://example.org/disk.img",
    autocomplete: "off",
    spellcheck: "false",
  });
  const createButton = element("button", { type: "button" }, "Create empty disk");
  const file = element("input", {
    type: "file",
    class: "visually-hidden",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  const importButton = element("button", { type: "button" }, "Import image…");

  const settings = (typed: string): ImportedDisk => ({
    name: typed,
    lbaBytes: block.value === "4096" ? 4096 : 512,
    kind: kind.value === "opfs" ? "opfs" : "indexeddb",
  });
  const isOnImage = () => kind.value === "http";
  const submit = () => {
    if (isOnImage()) {
      createOnImage({ ...settings(name.value.trim()), url: address.value.trim() });
    } else {
      create(() => ({ ...settings(name.value.trim()), capacityBytes: sizeOf(size.value) }));
    }
  };
  createButton.addEventListener("click", submit);
  for (const input of [name, size, address]) {
    input.addEventListener("keydown", event => {
      if (event.key === "Enter") submit();
    });
  }
  importButton.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (chosen) importFile(chosen);
  });

  const field = (label: string, input: HTMLElement) =>
    element("div", { class: "field" }, element("label", { for: input.id }, label), input);
  const sizeField = field("Size", size);
  const addressField = field("Image at", address);
  // An image has a size of its own, and is not imported but read where it is.
  const showFields = () => {
    sizeField.hidden = isOnImage();
    importButton.hidden = isOnImage();
    addressField.hidden = !isOnImage();
    createButton.textContent = isOnImage() ? "Create disk on it" : "Create empty disk";
  };
  kind.addEventListener("change", showFields);
  showFields();
  const root = element(
    "fieldset",
    { class: "new-disk" },
    element("legend", {}, "New disk"),
    field("Name", name),
    field("Kept in", kind),
    sizeField,
    addressField,
    field("Block", block),
    createButton,
    importButton,
    file,
    element(
      "p",
      { class: "explanation" },
      "An image (raw, raw in gzip, or qcow2) can also be dropped here; it brings its own size.",
    ),
  );
  return {
    root,
    forImage: ({ name: fileName }) => settings(name.value.trim() || nameOfImage(fileName)),
    clear() {
      name.value = "";
    },
  };
}
