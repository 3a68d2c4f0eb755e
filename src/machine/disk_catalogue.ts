/** The disks that people own, as the page works on them: a worker of its own does it, or the one that has the disk open. */
import * as Comlink from "comlink";
import { isBuiltIn } from "../storage/disks/disk_entry.ts";
import type {
  CatalogueDisk,
  DiskCatalogue,
  NewCatalogueDisk,
  NewDiskOnImage,
  TransferOptions,
} from "./api.ts";
import type { OnProgress } from "./jobs.ts";
import type { CatalogueWorkerApi, DiskApi } from "./protocol.ts";
import { type Connected, connectCatalogue } from "./workers.ts";

/** What the catalogue needs of the machine. */
export interface CatalogueHost {
  /** The worker that has disks open, if there is one. */
  storage(): Promise<Comlink.Remote<DiskApi> | undefined>;
  /** Has Linux write what it holds in memory, as far as it answers. */
  syncGuest(): Promise<void>;
}

type Copying = Pick<CatalogueWorkerApi | DiskApi, "clone" | "exportImage" | "cancel">;

export class WorkerDiskCatalogue implements DiskCatalogue {
  readonly #host: CatalogueHost;
  #worker: Promise<Connected<CatalogueWorkerApi>> | undefined;
  #lastJob = 0;

  constructor(host: CatalogueHost) {
    this.#host = host;
  }

  async list(): Promise<readonly CatalogueDisk[]> {
    const api = await this.#connect();
    const open = await this.#openDisks();
    const listed = await api.list(open.map(({ id }) => id));
    return listed.map(({ entry, usedBytes }): CatalogueDisk => {
      const status = open.find(({ id }) => id === entry.id);
      const used = status?.allocatedBytes ?? usedBytes;
      return {
        name: entry.name,
        kind: entry.kind,
        lbaBytes: entry.lbaBytes,
        capacityBytes: entry.capacityBytes,
        createdAt: entry.createdAt,
        attached: entry.attached,
        builtIn: isBuiltIn(entry.id),
        ...(status && { path: status.path }),
        ...(used !== undefined && { usedBytes: used }),
      };
    });
  }

  async create({ capacityBytes, ...spec }: NewCatalogueDisk): Promise<void> {
    await (await this.#connect()).create(spec, capacityBytes);
  }

  async createOnImage({ url, manifestUrl, ...spec }: NewDiskOnImage): Promise<void> {
    const base = {
      url: absolute(url),
      ...(manifestUrl !== undefined && { manifestUrl: absolute(manifestUrl) }),
    };
    await (await this.#connect()).createOnImage(spec, base);
  }

  async rename(name: string, newName: string): Promise<void> {
    await (await this.#connect()).rename(name, newName);
  }

  async attach(name: string): Promise<void> {
    await (await this.#connect()).setAttached(name, true);
  }

  async detach(name: string): Promise<void> {
    await (await this.#connect()).setAttached(name, false);
  }

  async resize(name: string, capacityBytes: number): Promise<void> {
    await (await this.#connect()).resize(name, capacityBytes);
  }

  async wipe(name: string): Promise<void> {
    await this.#refuseIfOpen(name, "wiped");
    await (await this.#connect()).wipe(name);
  }

  async remove(name: string): Promise<void> {
    await this.#refuseIfOpen(name, "deleted");
    await (await this.#connect()).remove(name);
  }

  async importImage(
    image: Blob,
    disk: Omit<NewCatalogueDisk, "capacityBytes">,
    options: TransferOptions = {},
  ): Promise<{ readonly paddedBytes: number }> {
    const api = await this.#connect();
    const { paddedBytes } = await this.#job(api, options, (job, onProgress) =>
      api.importImage(job, image, disk, onProgress),
    );
    return { paddedBytes };
  }

  async clone(name: string, newName: string, options: TransferOptions = {}): Promise<void> {
    const api = await this.#whoCopies(name);
    await this.#job(api, options, (job, onProgress) => api.clone(job, name, newName, onProgress));
  }

  async exportImage(
    name: string,
    { file, ...options }: TransferOptions & { readonly file?: FileSystemFileHandle | undefined } = {},
  ): Promise<Blob | undefined> {
    const api = await this.#whoCopies(name);
    return await this.#job(api, options, (job, onProgress) => api.exportImage(job, name, file, onProgress));
  }

  /** The worker that has the disk, after Linux was asked to write what it holds; else the catalogue's own. */
  async #whoCopies(name: string): Promise<Comlink.Remote<Copying>> {
    const storage = await this.#host.storage();
    if (!storage || !(await this.#isOpen(name))) return await this.#connect();
    await this.#host.syncGuest();
    return storage;
  }

  async #refuseIfOpen(name: string, done: string): Promise<void> {
    if (!(await this.#isOpen(name))) return;
    throw new Error(
      `Disk “${name}” is in this machine and cannot be ${done} now. Detach it and reset the machine first.`,
    );
  }

  async #isOpen(name: string): Promise<boolean> {
    const { id } = await (await this.#connect()).find(name);
    return (await this.#openDisks()).some(disk => disk.id === id);
  }

  async #openDisks() {
    return (await (await this.#host.storage())?.status()) ?? [];
  }

  /** Runs a job that the options may cancel. */
  async #job<T>(
    api: Comlink.Remote<Pick<Copying, "cancel">>,
    { signal, onProgress }: TransferOptions,
    start: (job: number, onProgress: OnProgress) => Promise<T>,
  ): Promise<T> {
    const job = ++this.#lastJob;
    signal?.throwIfAborted();
    const cancel = () => void api.cancel(job);
    signal?.addEventListener("abort", cancel);
    try {
      return await start(
        job,
        Comlink.proxy((done: number, total: number) => onProgress?.(done, total)),
      );
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  async #connect(): Promise<Comlink.Remote<CatalogueWorkerApi>> {
    this.#worker ??= connectCatalogue(() => {
      this.#worker = undefined;
    });
    return (await this.#worker).api;
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
