import type { MachineSettings } from "../api.ts";
import type { ImageStore } from "../images.ts";
import { hasBooted, type Memory } from "../memory.ts";
import type { DiskApi } from "../protocol.ts";
import type { Connected } from "../workers.ts";
import { type Resumption, suspended } from "./late_snapshots.ts";
import type { FittingSnapshot } from "./resume.ts";
import { whyNotShipped } from "./shipped_snapshot.ts";

export interface SnapshotSearch {
  /** Asked for; it goes before all others. */
  readonly wanted: Resumption | undefined;
  readonly settings: MachineSettings;
  readonly images: ImageStore;
  readonly memory: Memory;
  /** The worker that has the disks, once they are open. */
  readonly storage: () => Promise<Connected<DiskApi>>;
  /** It is likely that there is none, and that the machine boots: what a boot takes may be fetched. */
  readonly bootIsLikely: () => void;
}

/**
 * The snapshot that a machine goes on from: the one that is wanted; else the one with which it was switched off, or the shipped
 * one, if they fit. Undefined for a boot.
 */
export async function findSnapshot(search: SnapshotSearch): Promise<FittingSnapshot | undefined> {
  const { wanted, settings, images, storage } = search;
  const mayBeShipped = !wanted && whyNotShipped(images.manifest, settings) === undefined;
  // After a visit that booted, the disks have most likely moved on.
  const isLikely = mayBeShipped && !hasBooted(search.memory);
  if (isLikely) images.get("snapshot").catch(() => {});
  else if (!wanted) search.bootIsLikely();
  const [{ loadFitting, loadShipped }, resumption] = await Promise.all([
    import("./resume.ts"),
    wanted ?? suspended(settings.own?.id).catch(() => undefined),
  ]);
  if (resumption) {
    const seal = async () => {
      const { api, answer } = await storage();
      return await answer(api.seal());
    };
    const fitting = await loadFitting(resumption, settings, seal);
    if (fitting) return fitting;
  }
  if (!mayBeShipped) return undefined;
  const survey = async () => {
    const { api, answer } = await storage();
    return await answer(api.survey());
  };
  return await loadShipped(images, survey, isLikely);
}
