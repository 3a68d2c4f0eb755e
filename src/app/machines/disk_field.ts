/** The form's list of disks: kept ones, images that become kept ones, new empty ones, images on a server. */
import type { CatalogueDisk, DiskCatalogue, TransferOptions } from "../../machine/api.ts";
import type { OwnDisk } from "../../machine/own/own_machine.ts";
import { sizeOf } from "../disks/disk_actions.ts";
import { nameOfImage } from "../disks/sizes.ts";
import { button, element } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { parseUrl } from "./link.ts";

type RunTransfer = <T>(
  what: string,
  work: (options: TransferOptions) => Promise<T>,
) => Promise<T | undefined>;

export interface DisksField {
  readonly root: HTMLElement;
  /** Adds an image file, which is to become a disk. */
  addFile(file: File): void;
  add(disk: OwnDisk): void;
  /** Makes what is to be made. Rejects with a sentence; undefined if a transfer was cancelled. */
  value(
    catalogue: DiskCatalogue,
    machineName: string,
    transfer: RunTransfer,
  ): Promise<readonly OwnDisk[] | undefined>;
}

interface Row {
  readonly root: HTMLElement;
  make(catalogue: DiskCatalogue, machineName: string, transfer: RunTransfer): Promise<OwnDisk | undefined>;
}

/** `kept`: the disks there are. */
export function disksField(kept: readonly CatalogueDisk[]): DisksField {
  const list = element("div", { class: "machine-disks" });
  const rows: Row[] = [];
  const choices = kept.filter(({ builtIn }) => !builtIn);
  const addRow = (initial: { readonly disk?: OwnDisk; readonly file?: File }) => {
    const row = diskRow(choices, initial, () => {
      rows.splice(rows.indexOf(row), 1);
      row.root.remove();
    });
    rows.push(row);
    list.append(row.root);
  };
  const add = button("Add a disk", () => addRow({}));
  return {
    root: element("fieldset", { class: "disks-field" }, element("legend", {}, "Disks"), list, add),
    addFile: file => addRow({ file }),
    add: disk => addRow({ disk }),
    async value(catalogue, machineName, transfer) {
      const disks: OwnDisk[] = [];
      for (const row of rows) {
        const disk = await row.make(catalogue, machineName, transfer);
        if (!disk) return undefined;
        disks.push(disk);
      }
      return disks;
    },
  };
}

let rowNumber = 0;

function diskRow(
  kept: readonly CatalogueDisk[],
  initial: { readonly disk?: OwnDisk; readonly file?: File },
  remove: () => void,
): Row {
  const number = ++rowNumber;
  let { file } = initial;
  let made: OwnDisk | undefined;
  const known = initial.disk?.kind === "kept" ? initial.disk : undefined;
  const gone = known && !kept.some(({ id }) => id === known.id) ? known : undefined;
  const what = element(
    "select",
    { "aria-label": "Which disk" },
    element("option", { value: "new" }, "New empty disk"),
    element("option", { value: "file" }, "From an image file"),
    element("option", { value: "url" }, "Image at an address (changes are not kept)"),
    ...kept.map(({ id, name, capacityBytes }) =>
      element("option", { value: `kept:${id}` }, `${name} (${formatBytes(capacityBytes)})`),
    ),
    ...(gone ? [element("option", { value: `kept:${gone.id}` }, `${gone.name} (deleted)`)] : []),
  );
  const size = element("input", {
    id: `disk-size-${number}`,
    value: "1 GiB",
    size: "9",
    "aria-label": "Size",
  });
  const address = element("input", {
    type: "text",
    placeholder: "https://…",
    "aria-label": "Address",
    spellcheck: "false",
  });
  const picker = element("input", { type: "file", "aria-label": "Image file (raw, gzip, qcow2)" });
  const fileName = element(
    "span",
    { class: "file-name" },
    file ? `${file.name} (${formatBytes(file.size)})` : "",
  );
  const show = () => {
    size.hidden = what.value !== "new";
    address.hidden = what.value !== "url";
    picker.hidden = what.value !== "file" || file !== undefined;
    fileName.hidden = what.value !== "file" || file === undefined;
  };
  what.addEventListener("change", () => {
    made = undefined;
    show();
  });
  if (file) what.value = "file";
  else if (known) what.value = `kept:${known.id}`;
  else if (initial.disk?.kind === "url") {
    what.value = "url";
    address.value = initial.disk.url;
  }
  show();
  picker.addEventListener("change", () => {
    made = undefined;
  });
  return {
    root: element(
      "div",
      { class: "disk-row" },
      what,
      size,
      address,
      picker,
      fileName,
      button("✕", remove, { class: "quiet", "aria-label": "Take this disk out" }),
    ),
    async make(catalogue, machineName, transfer) {
      // A second try does not make it again.
      if (made) return made;
      const keptAs = async (name: string): Promise<OwnDisk> => {
        const found = (await catalogue.list()).find(disk => disk.name === name);
        if (!found) throw new Error(`Disk “${name}” was deleted meanwhile.`);
        return { kind: "kept", id: found.id, name };
      };
      if (what.value.startsWith("kept:")) {
        const id = what.value.slice("kept:".length);
        const name = kept.find(disk => disk.id === id)?.name;
        if (name === undefined)
          throw new Error("A disk of this machine does not exist any more: choose another one.");
        return { kind: "kept", id, name };
      }
      if (what.value === "url") {
        const url = parseUrl(address.value, location.href);
        if (url === undefined)
          throw new Error(`“${address.value}” is no http or https address of a disk image.`);
        return { kind: "url", url };
      }
      const names = (await catalogue.list()).map(({ name }) => name);
      if (what.value === "new") {
        const name = freeName(nameOfImage(machineName), names);
        await catalogue.create({ name, capacityBytes: sizeOf(size.value) });
        made = await keptAs(name);
        return made;
      }
      file ??= picker.files?.[0];
      if (!file) throw new Error("Choose the image file of the disk, or take the disk out.");
      const image = file;
      const name = freeName(nameOfImage(image.name), names);
      const imported = await transfer(`Importing ${image.name}`, options =>
        catalogue.importImage(image, { name }, options),
      );
      if (!imported) return undefined;
      made = await keptAs(name);
      return made;
    },
  };
}

function freeName(name: string, taken: readonly string[]): string {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name.slice(0, 44)} ${number}`;
    if (!taken.includes(candidate) && candidate !== "system" && candidate !== "scratch") return candidate;
  }
}
