/** Runs a shell command in the guest; undefined when it does not answer, or does not run. */
export type AskGuest = (command: string) => Promise<string | undefined>;

/** Looks for which Linux may not have found a namespace yet. */
const MAX_LOOKS = 10;
const LOOK_INTERVAL_MS = 200;

/**
 * What Linux calls the namespaces. It numbers its block devices as it finds them, in the order of the ids at boot and
 * then with the lowest number that is free, so that once one has come or gone only Linux knows.
 */
export class GuestDiskNames {
  readonly #ask: AskGuest;
  /** Paths by namespace id, as far as Linux was asked. */
  #paths: ReadonlyMap<number, string> = new Map();
  /** The namespaces at the last look; undefined before the first one of a boot. */
  #known: string | undefined;
  #looks = 0;

  constructor(ask: AskGuest) {
    this.#ask = ask;
  }

  /** A new boot: the names are those of the order. */
  forget(): void {
    this.#paths = new Map();
    this.#known = undefined;
    this.#looks = 0;
  }

  /** Asks Linux if other namespaces are there than at the last look. Never rejects. */
  async refresh(nsids: readonly number[]): Promise<void> {
    const now = [...nsids].sort((a, b) => a - b).join();
    this.#known ??= now;
    if (now === this.#known || ++this.#looks > MAX_LOOKS) return;
    await this.#look();
    if (!nsids.every(nsid => this.#paths.has(nsid))) return;
    this.#known = now;
    this.#looks = 0;
  }

  /** Where Linux finds a namespace; undefined where it was not asked. */
  pathOf(nsid: number): string | undefined {
    return this.#paths.get(nsid);
  }

  /** Where Linux finds a namespace that has just come, once it has found it; undefined when it does not. */
  async find(nsid: number): Promise<string | undefined> {
    for (let look = 0; look < MAX_LOOKS; look++) {
      if (!(await this.#look())) return undefined;
      const path = this.#paths.get(nsid);
      if (path !== undefined) return path;
      await new Promise(resolve => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
    return undefined;
  }

  /** How a namespace, or a partition of it, is mounted or swapped to: a path and a place; undefined when it is not. */
  async useOf(nsid: number): Promise<string | undefined> {
    const said = await this.#ask(
      `d=$(grep -lsx ${nsid} /sys/block/nvme*/nsid | cut -d / -f 4); [ "$d" ] && grep -shE "^/dev/$d(p[0-9]+)?[[:space:]]" /proc/mounts /proc/swaps | cut -d ' ' -f 1,2`,
    );
    return said?.trim().split("\n")[0] || undefined;
  }

  /** False when Linux does not answer. */
  async #look(): Promise<boolean> {
    const said = await this.#ask("grep -s . /sys/block/nvme*/nsid");
    if (said === undefined) return false;
    const found = said.matchAll(/^\/sys\/block\/(nvme[^/]+)\/nsid:(\d+)$/gm);
    this.#paths = new Map(Array.from(found, ([, name, nsid]) => [Number(nsid), `/dev/${name}`]));
    return true;
  }
}
