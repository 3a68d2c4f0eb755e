/** What can be done with one disk: each asks for what it needs, and first when data would be lost. */
import type { CatalogueDisk, DiskCatalogue } from "../../machine/api.ts";
import { ask, askFor } from "../controls/dialog.ts";
import { formatBytes } from "../format.ts";
import { chooseFile, saveImage } from "./save_image.ts";
import { parseSize } from "./sizes.ts";
import type { Transfers } from "./transfers.ts";

export interface DiskAction {
  readonly label: string;
  readonly title: string;
  readonly isDangerous?: boolean;
  /** Resolves to a sentence on what was done; undefined when nothing was. */
  run(): Promise<string | undefined>;
}

export function actionsOf(disk: CatalogueDisk, catalogue: DiskCatalogue, transfers: Transfers): DiskAction[] {
  const { name, builtIn, attached } = disk;
  const inMachine = disk.path !== undefined;
  const copyNote = inMachine
    ? " Linux has it in use: a mounted file system in the copy is as after a power cut, and is repaired when it is mounted."
    : "";
  const attach: DiskAction = attached
    ? {
        label: "Detach",
        title: "Takes the disk out of the machine",
        async run() {
          await catalogue.detach(name);
          return inMachine ? `“${name}” has left the machine.` : `“${name}” stays out of the machine.`;
        },
      }
    : {
        label: "Attach",
        title: "Puts the disk into the machine",
        async run() {
          const path = await catalogue.attach(name);
          return path === undefined
            ? `“${name}” is attached: it is there when Linux looks for disks next.`
            : `“${name}” is in the machine: Linux calls it ${path}.`;
        },
      };
  const exportIt: DiskAction = {
    label: "Export",
    title: "Saves the disk as a raw image file",
    async run() {
      const fileName = `${name}.img`;
      const file = await chooseFile(fileName);
      if (file === "cancelled") return undefined;
      const done = await transfers.run(`Exporting “${name}”`, async options => {
        await saveImage(catalogue, name, fileName, file, options);
        return true;
      });
      return done === undefined
        ? undefined
        : `“${name}” was exported as ${file?.name ?? fileName}.${copyNote}`;
    },
  };
  const clone: DiskAction = {
    label: "Clone…",
    title: "Makes a second disk with the same content",
    async run() {
      const newName = await askFor({
        title: `Clone “${name}”`,
        label: "Name of the new disk",
        value: `${name} copy`,
        confirm: "Clone",
      });
      if (newName === undefined) return undefined;
      const done = await transfers.run(`Cloning “${name}”`, async options => {
        await catalogue.clone(name, newName, options);
        return true;
      });
      return done === undefined ? undefined : `“${newName}” is a copy of “${name}”.${copyNote}`;
    },
  };
  const rename: DiskAction = {
    label: "Rename…",
    title: "Gives the disk another name",
    async run() {
      const newName = await askFor({
        title: `Rename “${name}”`,
        label: "New name",
        value: name,
        confirm: "Rename",
      });
      if (newName === undefined || newName === name) return undefined;
      await catalogue.rename(name, newName);
      return `“${name}” is called “${newName}” now.`;
    },
  };
  const resize: DiskAction = {
    label: "Resize…",
    title: "Makes the disk larger",
    async run() {
      const size = await askFor({
        title: `Make “${name}” larger`,
        body: `It has ${formatBytes(disk.capacityBytes)}. It cannot be made smaller again. A file system on it grows with resize2fs.`,
        label: "New size, for example 2 GiB",
        value: formatBytes(disk.capacityBytes),
        confirm: "Resize",
      });
      if (size === undefined) return undefined;
      await catalogue.resize(name, sizeOf(size));
      return `“${name}” has ${size}${inMachine ? " from the next reset on" : " now"}.`;
    },
  };
  const remove: DiskAction = {
    label: "Delete…",
    title: "Deletes the disk and all that is on it",
    isDangerous: true,
    async run() {
      const holds =
        disk.usedBytes === undefined ? "All that is on it" : `The ${formatBytes(disk.usedBytes)} on it`;
      const yes = await ask({
        title: `Delete “${name}”?`,
        body: [`${holds} will be lost. This cannot be undone; export it first to keep a copy.`],
        confirm: "Delete disk",
      });
      if (!yes) return undefined;
      await catalogue.remove(name);
      return `“${name}” was deleted.`;
    },
  };
  return builtIn ? [exportIt, clone, resize] : [attach, exportIt, clone, rename, resize, remove];
}

/** Bytes of a typed size; throws Error with a sentence for one that is none. */
export function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new Error(`“${text}” is no size. Write for example 512 MiB or 2 GiB.`);
  return bytes;
}
