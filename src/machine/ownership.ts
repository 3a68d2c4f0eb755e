/**
 * Which tab has the disks, told and asked between the tabs of this site. The disks themselves are guarded by their own
 * locks (src/storage/disks/disk_lock.ts); this is how tabs talk about them.
 */
import { DISK_IN_USE } from "../storage/disks/disk_lock.ts";
import { SNAPSHOT_TOO_LARGE } from "../storage/snapshot_backend.ts";
import type { Blockade, DiskOwner } from "./api.ts";

/** Prefix of the lock whose name tells who has disks: true exactly as long as that tab lives, also when it hangs. */
const CLAIM = "doorbell-tab ";
const CHANNEL = "doorbell-disks";
/** A tab that has given no sign of life for so long counts as hanging. It gives one each second. */
const SILENCE_MS = 4000;
const SIGN_OF_LIFE_MS = 1000;
/** Addresses may be long, and a lock's name should not be. */
const MAX_TEXT = 200;

type Message =
  | { readonly type: "release"; readonly id: string; readonly disks: readonly string[] }
  | { readonly type: "releasing" | "released"; readonly id: string }
  | { readonly type: "refused"; readonly id: string; readonly reason: string };

const REFUSED = "ReleaseRefusedError";

/** The owner has said why it cannot let go: it would lose data. */
export class ReleaseRefusedError extends Error {
  override readonly name = REFUSED;
}

/** This tab's part: claims its disks, gives them up when it is asked to, asks others. */
export class Ownership {
  readonly #channel = new BroadcastChannel(CHANNEL);
  readonly #release: () => Promise<void>;
  #disks: readonly string[] = [];
  #unclaim: (() => void) | undefined;
  /** The release that is under way, whoever asked for it. */
  #releasing: Promise<void> | undefined;

  /** `release` saves, closes and lets go of the disks; it rejects when that would lose data, and then keeps them. */
  constructor(release: () => Promise<void>) {
    this.#release = release;
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Message>) => {
      if (data.type === "release") void this.#answer(data);
    });
  }

  /** Whether this tab has told that it has disks. */
  get claims(): boolean {
    return this.#unclaim !== undefined;
  }

  /** Tells other tabs that this one has these disks; in place of what it told before. */
  claim(disks: readonly string[]): void {
    if (this.#unclaim && disks.join() === this.#disks.join()) return;
    this.unclaim();
    const owner: DiskOwner = {
      url: location.href.slice(0, MAX_TEXT),
      since: Date.now(),
      disks,
    };
    this.#disks = disks;
    const held = new Promise<void>(resolve => {
      this.#unclaim = resolve;
    });
    // The number keeps two tabs that were opened together apart.
    const name = `${CLAIM}${JSON.stringify({ ...owner, id: crypto.randomUUID() })}`;
    navigator.locks.request(name, () => held).catch(() => {});
  }

  unclaim(): void {
    this.#unclaim?.();
    this.#unclaim = undefined;
    this.#disks = [];
  }

  /**
   * Asks the tab that has one of the disks to save them and let go. Resolves to whether it did; false when it does not
   * answer (any more). Rejects with ReleaseRefusedError.
   */
  ask(disks: readonly string[]): Promise<boolean> {
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#channel.removeEventListener("message", onMessage);
        settle();
      };
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => end(() => resolve(false)), SILENCE_MS);
      };
      const onMessage = ({ data }: MessageEvent<Message>) => {
        if (data.id !== id) return;
        if (data.type === "releasing") wait();
        else if (data.type === "released") end(() => resolve(true));
        else if (data.type === "refused") end(() => reject(new ReleaseRefusedError(data.reason)));
      };
      this.#channel.addEventListener("message", onMessage);
      this.#send({ type: "release", id, disks });
      wait();
    });
  }

  async #answer({ id, disks }: { readonly id: string; readonly disks: readonly string[] }): Promise<void> {
    if (!disks.some(disk => this.#disks.includes(disk))) return;
    const signOfLife = () => this.#send({ type: "releasing", id });
    signOfLife();
    const timer = setInterval(signOfLife, SIGN_OF_LIFE_MS);
    try {
      this.#releasing ??= this.#release().finally(() => {
        this.#releasing = undefined;
      });
      await this.#releasing;
      this.#send({ type: "released", id });
    } catch (error) {
      this.#send({ type: "refused", id, reason: error instanceof Error ? error.message : String(error) });
    } finally {
      clearInterval(timer);
    }
  }

  #send(message: Message): void {
    this.#channel.postMessage(message);
  }
}

/** What keeps the machine from its disks, if that is why the start failed. By names: workers' errors lose their class. */
export function blockadeOf({ name, message }: Error): Blockade | undefined {
  switch (name) {
    case DISK_IN_USE:
      return { reason: "in-use", detail: "Another tab of this site has the machine's disks open." };
    case REFUSED:
      return { reason: "refused", detail: message };
    case SNAPSHOT_TOO_LARGE:
      return { reason: "too-large", detail: message };
    default:
      return undefined;
  }
}

/** The tabs that have one of these disks, the longest first. Empty where they do not say. */
export async function ownersOf(disks: readonly string[]): Promise<DiskOwner[]> {
  const { held = [] } = await navigator.locks.query();
  return held
    .flatMap(({ name }) =>
      name?.startsWith(CLAIM) ? [JSON.parse(name.slice(CLAIM.length)) as DiskOwner] : [],
    )
    .filter(owner => owner.disks.some(disk => disks.includes(disk)))
    .sort((a, b) => a.since - b.since)
    .map(({ url, since, disks }) => ({ url, since, disks }));
}
