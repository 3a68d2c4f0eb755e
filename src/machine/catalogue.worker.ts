/** The catalogue worker: works on the disks that no machine has open. Made when it is first needed. */
import * as Comlink from "comlink";
import type { DiskEntry } from "../storage/disks/disk_entry.ts";
import { type BaseImage, DiskLibrary, type DiskSpec } from "../storage/disks/disk_library.ts";
import { Jobs, type OnProgress } from "./jobs.ts";
import type { CatalogueWorkerApi, ListedDisk } from "./protocol.ts";
import { reportRejections } from "./report.ts";
import { announceWorker } from "./worker_life.ts";

class CatalogueWorker implements CatalogueWorkerApi {
  readonly #library = new DiskLibrary();
  readonly #jobs = new Jobs();

  async list(open: readonly string[]): Promise<ListedDisk[]> {
    return await Promise.all(
      (await this.#library.disks()).map(async entry => {
        const usedBytes = open.includes(entry.id) ? undefined : await this.#library.usedBytes(entry);
        return { entry, ...(usedBytes !== undefined && { usedBytes }) };
      }),
    );
  }

  find(name: string): Promise<DiskEntry> {
    return this.#library.catalogue.find(name);
  }

  create(spec: DiskSpec, capacityBytes: number): Promise<DiskEntry> {
    return this.#library.create(spec, capacityBytes);
  }

  createOnImage(spec: Omit<DiskSpec, "kind">, base: BaseImage): Promise<DiskEntry> {
    return this.#library.createOnImage(spec, base);
  }

  rename(name: string, newName: string): Promise<DiskEntry> {
    return this.#library.rename(name, newName);
  }

  setAttached(name: string, attached: boolean): Promise<DiskEntry> {
    return this.#library.setAttached(name, attached);
  }

  resize(name: string, capacityBytes: number): Promise<DiskEntry> {
    return this.#library.resize(name, capacityBytes);
  }

  wipe(name: string): Promise<void> {
    return this.#library.wipe(name);
  }

  remove(name: string): Promise<void> {
    return this.#library.remove(name);
  }

  importImage(job: number, image: Blob, spec: DiskSpec, onProgress: OnProgress) {
    return this.#jobs.run(job, onProgress, control => this.#library.importImage(image, spec, control));
  }

  clone(job: number, name: string, newName: string, onProgress: OnProgress) {
    return this.#jobs.run(job, onProgress, control => this.#library.clone(name, newName, control));
  }

  exportImage(job: number, name: string, file: FileSystemFileHandle | undefined, onProgress: OnProgress) {
    return this.#jobs.run(job, onProgress, control => this.#library.exportImage(name, file, control));
  }

  async cancel(job: number): Promise<void> {
    this.#jobs.cancel(job);
  }
}

reportRejections();
Comlink.expose(new CatalogueWorker());
announceWorker();
