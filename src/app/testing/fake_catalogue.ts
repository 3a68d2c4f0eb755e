/** Disks that only pretend, to work on the page without storage. An image whose name has “bad” in it is refused. */
import type {
  CatalogueDisk,
  DiskCatalogue,
  NewCatalogueDisk,
  NewDiskOnImage,
  TransferOptions,
} from "../../machine/api.ts";

const gib = 2 ** 30;

export class FakeCatalogue implements DiskCatalogue {
  #disks: CatalogueDisk[] = [
    disk({ name: "system", path: "/dev/nvme0n1", attached: true, builtIn: true, usedBytes: 31 * 2 ** 20 }),
    disk({ name: "scratch", path: "/dev/nvme0n2", attached: true, builtIn: true }),
    disk({
      name: "photos of 2015",
      path: "/dev/nvme0n3",
      nsid: 3,
      attached: true,
      lbaBytes: 4096,
      usedBytes: 3.2 * gib,
    }),
    disk({ name: "namespace 4", nsid: 4, usedBytes: 2 ** 20 }),
    disk({ name: "debian-12", attached: true, kind: "opfs", capacityBytes: 64 * gib, usedBytes: 1.1 * gib }),
    disk({ name: "alpine base image", kind: "http", usedBytes: 5 * 2 ** 20 }),
  ];

  async list() {
    return this.#disks;
  }

  async create({ name, capacityBytes, lbaBytes = 512, kind = "indexeddb" }: NewCatalogueDisk) {
    if (this.#disks.some(other => other.name === name)) {
      throw new Error(`There is a disk called “${name}” already. Choose another name, or rename that one.`);
    }
    this.#disks = [...this.#disks, disk({ name, capacityBytes, lbaBytes, kind })];
  }

  async createOnImage({ name, lbaBytes = 512 }: NewDiskOnImage) {
    this.#disks = [...this.#disks, disk({ name, lbaBytes, kind: "http" })];
  }

  async rename(name: string, newName: string) {
    this.#change(name, { name: newName });
  }

  async attach(name: string) {
    const used = this.#disks.map(({ path }) => path);
    const nsid = [3, 4, 5, 6, 7].find(number => !used.includes(`/dev/nvme0n${number}`)) ?? 8;
    this.#change(name, { attached: true, nsid, path: `/dev/nvme0n${nsid}` });
    return `/dev/nvme0n${nsid}`;
  }

  async detach(name: string) {
    if (name.includes("photos")) {
      throw new Error(`Disk “${name}” is in use in Linux: /dev/nvme0n3 /mnt. Unmount it there first`);
    }
    this.#disks = this.#disks.map(({ path, ...other }) =>
      other.name === name ? { ...other, attached: false } : { ...other, ...(path !== undefined && { path }) },
    );
  }

  async resize(name: string, capacityBytes: number) {
    this.#change(name, { capacityBytes });
  }

  async wipe(name: string) {
    this.#change(name, { usedBytes: 0 });
  }

  async remove(name: string) {
    this.#disks = this.#disks.filter(other => other.name !== name);
  }

  async clone(name: string, newName: string, options: TransferOptions = {}) {
    await pretend(options);
    const source = this.#disks.find(other => other.name === name);
    if (source)
      this.#disks = [...this.#disks, disk({ ...source, name: newName, attached: false, builtIn: false })];
  }

  async importImage(image: Blob, { name }: { readonly name: string }, options: TransferOptions = {}) {
    if (name.includes("bad")) throw new Error("This qcow2 image is damaged: it ends within its header.");
    await pretend(options);
    await this.create({ name, capacityBytes: image.size });
    return { paddedBytes: 0 };
  }

  async exportImage(name: string, options: TransferOptions = {}) {
    await pretend(options);
    return new Blob([name]);
  }

  #change(name: string, change: Partial<CatalogueDisk>): void {
    this.#disks = this.#disks.map(other => (other.name === name ? { ...other, ...change } : other));
  }
}

function disk(what: Partial<CatalogueDisk> & { readonly name: string }): CatalogueDisk {
  const usual = {
    kind: "indexeddb",
    lbaBytes: 512,
    capacityBytes: gib,
    usedBytes: 0,
    builtIn: false,
  } as const;
  return { ...usual, id: what.name, createdAt: 0, attached: false, ...what };
}

/** Eight seconds of work. */
async function pretend({ signal, onProgress }: TransferOptions): Promise<void> {
  for (let step = 0; step <= 80; step++) {
    await new Promise(resolve => setTimeout(resolve, 100));
    if (signal?.aborted) throw new Error("It was cancelled; nothing of it was kept.");
    onProgress?.(step * 2 ** 24, 80 * 2 ** 24);
  }
}
