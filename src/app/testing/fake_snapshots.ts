import type { ListedSnapshot, MachineSnapshots } from "../../machine/api.ts";

/** Snapshots that hold nothing: one that fits, and one that the disk has moved on from. */
export class FakeSnapshots implements MachineSnapshots {
  #kept: readonly ListedSnapshot[] = [
    { id: "1", takenAt: Date.now() - 90_000, bytes: 9_100_000 },
    {
      id: "2",
      takenAt: Date.now() - 86_400_000,
      bytes: 8_700_000,
      refusal:
        "The snapshot cannot be restored: disk “system” has been written to since it was taken. What Linux had in memory then does not fit the disk of now, and would destroy it. Boot instead: nothing that was flushed is lost.",
    },
  ];

  async list(): Promise<readonly ListedSnapshot[]> {
    return this.#kept;
  }

  async take(): Promise<ListedSnapshot> {
    const taken = { id: crypto.randomUUID(), takenAt: Date.now(), bytes: 9_300_000 };
    this.#kept = [taken, ...this.#kept];
    return taken;
  }

  suspend(): Promise<ListedSnapshot> {
    return this.take();
  }

  async restore(): Promise<void> {}

  async remove(id: string): Promise<void> {
    this.#kept = this.#kept.filter(snapshot => snapshot.id !== id);
  }

  async save(): Promise<Blob> {
    return new Blob(["a snapshot"]);
  }

  add(): Promise<ListedSnapshot> {
    return this.take();
  }
}
