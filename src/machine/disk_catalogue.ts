/** The disks that people own, as the page works on them: a worker of its own does it, or the one that has the disk open. */
import * as Comlink from "comlink";
import { isBuiltIn } from "../storage/disks/disk_entry.ts";
import type {
  CatalogueDisk,
  DiskCatalogue,
  DiskStatus,
  NewCatalogueDisk,
  NewDiskOnImage,
  TransferOptions,
} from "./api.ts";
import type { OnProgress } from "./jobs.ts";
import type { CatalogueWorkerApi, DiskApi, DiskCopying } from "./protocol.ts";
import { type Connected, connectCatalogue } from "./workers.ts";

/** What the catalogue needs of the machine. */
export interface CatalogueHost {
  /** The worker that has disks open, if there is one. */
  storage(): Promise<Connected<DiskApi> | undefined>;
  /** Has Linux write what it holds in memory, as far as it answers. */
  syncGuest(): Promise<void>;
  /** The disks that are open. */
  disks(): Promise<readonly DiskStatus[]>;
  /** Where Linux finds a namespace that has just come; undefined when it does not find it, or does not answer. */
  findPath(nsid: number): Promise<string | undefined>;
  /** How Linux uses a namespace, in its own words; undefined when it does not, or does not answer. */
  useOf(nsid: number): Promise<string | undefined>;
}

export class WorkerDiskCatalogue implements DiskCatalogue {
  readonly #host: CatalogueHost;
  #worker: Promise<Connected<CatalogueWorkerApi>> | undefined;
  #lastJob = 0;

  constructor(host: CatalogueHost) {
    this.#host = host;
  }

  async list(): Promise<readonly CatalogueDisk[]> {
    const open = await this.#host.disks();
    const listed = await this.#ask(api => api.list(open.map(({ id }) => id)));
    return listed.map(({ entry, usedBytes }): CatalogueDisk => {
      const status = open.find(({ id }) => id === entry.id);
      const used = status?.allocatedBytes ?? usedBytes;
      return {
        id: entry.id,
        name: entry.name,
        kind: entry.kind,
        lbaBytes: entry.lbaBytes,
        capacityBytes: entry.capacityBytes,
        createdAt: entry.createdAt,
        attached: entry.attached,
        builtIn: isBuiltIn(entry.id),
        ...(entry.nsid !== undefined && (entry.attached || entry.allocated) && { nsid: entry.nsid }),
        ...(status && { path: status.path }),
        ...(used !== undefined && { usedBytes: used }),
      };
    });
  }

  async create({ capacityBytes, ...spec }: NewCatalogueDisk): Promise<void> {
    await this.#ask(api => api.create(spec, capacityBytes));
  }

  async createOnImage({ url, manifestUrl, ...spec }: NewDiskOnImage): Promise<void> {
    const base = {
      url: absolute(url),
      ...(manifestUrl !== undefined && { manifestUrl: absolute(manifestUrl) }),
    };
    await this.#ask(api => api.createOnImage(spec, base));
  }

  async rename(name: string, newName: string): Promise<void> {
    await this.#ask(api => api.rename(name, newName));
    await this.#changed();
  }

  async attach(name: string): Promise<string | undefined> {
    const storage = await this.#host.storage();
    if (!storage) {
      await this.#ask(api => api.setAttached(name, true));
      return undefined;
    }
    const nsid = await storage.answer(storage.api.attachDisk(name));
    return nsid === undefined ? undefined : await this.#host.findPath(nsid);
  }

  async detach(name: string): Promise<void> {
    const storage = await this.#host.storage();
    if (!storage) {
      await this.#ask(api => api.setAttached(name, false));
      return;
    }
    const { id } = await this.#ask(api => api.find(name));
    const open = (await this.#host.disks()).find(disk => disk.id === id);
    if (open?.nsid !== undefined && !isBuiltIn(id)) await this.#prepareDetach(name, open.nsid);
    await storage.answer(storage.api.detachDisk(name));
  }

  /** Linux writes what it holds, and must not have the disk mounted. */
  async #prepareDetach(name: string, nsid: number): Promise<void> {
    await this.#host.syncGuest();
    const use = await this.#host.useOf(nsid);
    if (use === undefined) return;
    throw new Error(`Disk “${name}” is in use in Linux: ${use}. Unmount it there first.`);
  }

  async resize(name: string, capacityBytes: number): Promise<void> {
    await this.#ask(api => api.resize(name, capacityBytes));
    await this.#changed();
  }

  async wipe(name: string): Promise<void> {
    await this.#refuseIfOpen(name, "wiped");
    await this.#ask(api => api.wipe(name));
  }

  async remove(name: string): Promise<void> {
    await this.#refuseIfOpen(name, "deleted");
    await this.#ask(api => api.remove(name));
    await this.#changed();
  }

  async importImage(
    image: Blob,
    disk: Omit<NewCatalogueDisk, "capacityBytes">,
    options: TransferOptions = {},
  ): Promise<{ readonly paddedBytes: number }> {
    const { paddedBytes } = await this.#job(await this.#connect(), options, (api, job, onProgress) =>
      api.importImage(job, image, disk, onProgress),
    );
    return { paddedBytes };
  }

  async clone(name: string, newName: string, options: TransferOptions = {}): Promise<void> {
    await this.#job(await this.#whoCopies(name), options, (api, job, onProgress) =>
      api.clone(job, name, newName, onProgress),
    );
  }

  async exportImage(
    name: string,
    { file, ...options }: TransferOptions & { readonly file?: FileSystemFileHandle | undefined } = {},
  ): Promise<Blob | undefined> {
    return await this.#job(await this.#whoCopies(name), options, (api, job, onProgress) =>
      api.exportImage(job, name, file, onProgress),
    );
  }

  /** The worker that has the disk, after Linux was asked to write what it holds; else the catalogue's own. */
  async #whoCopies(name: string): Promise<Connected<DiskCopying>> {
    const storage = await this.#host.storage();
    if (!storage || !(await this.#isOpen(name))) return await this.#connect();
    await this.#host.syncGuest();
    return storage;
  }

  async #refuseIfOpen(name: string, done: string): Promise<void> {
    if (!(await this.#isOpen(name))) return;
    throw new Error(`Disk “${name}” is in this machine and cannot be ${done} now. Detach it first.`);
  }

  /** The machine may have the disk among those that Linux could attach. */
  async #changed(): Promise<void> {
    const storage = await this.#host.storage();
    await storage?.answer(storage.api.catalogueChanged());
  }

  async #isOpen(name: string): Promise<boolean> {
    const { id } = await this.#ask(api => api.find(name));
    return (await this.#host.disks()).some(disk => disk.id === id);
  }

  /** Runs a job that the options may cancel. */
  async #job<W, T>(
    { api, answer }: Connected<W & Pick<DiskCopying, "cancel">>,
    { signal, onProgress }: TransferOptions,
    start: (api: Comlink.Remote<W>, job: number, onProgress: OnProgress) => Promise<T>,
  ): Promise<T> {
    const job = ++this.#lastJob;
    signal?.throwIfAborted();
    const cancel = () => void api.cancel(job);
    signal?.addEventListener("abort", cancel);
    try {
      const progress = Comlink.proxy((done: number, total: number) => onProgress?.(done, total));
      return await answer(start(api, job, progress));
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Asks the catalogue's worker; rejects when it dies before it has answered. */
  async #ask<R>(call: (api: Comlink.Remote<CatalogueWorkerApi>) => Promise<R>): Promise<R> {
    const { api, answer } = await this.#connect();
    return await answer(call(api));
  }

  #connect(): Promise<Connected<CatalogueWorkerApi>> {
    this.#worker ??= connectCatalogue(() => {
      this.#worker = undefined;
    });
    return this.#worker;
  }
}

/** The address as the page means it; throws Error with a sentence for one that is none. */
function absolute(address: string): string {
  const url = URL.parse(address, location.href);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Error(
      `“${address}” is no address of an image. Write for example https://example.org/disk.img.`,
    );
  }
  return url.href;
}
