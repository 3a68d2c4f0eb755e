import { expect, it } from "vitest";
import type { NamespaceUser } from "../devices/nvme/namespace_store.ts";
import { AttachedDisks } from "./attached_disks.ts";
import { openDisk } from "./open_disk.ts";

const MIB = 1 << 20;
const options = { lbaBytes: 512, cache: {}, onStolen: () => {} } as const;
const disk = (lbaBytes: 512 | 4096 = 512) =>
  openDisk({ kind: "memory", capacityBytes: MIB }, { ...options, lbaBytes });

it("shows each disk where it was placed", async () => {
  const disks = new AttachedDisks([
    { place: 1, disk: await disk() },
    { place: 2, disk: await disk(4096) },
    { place: "scsi", disk: await disk() },
  ]);
  expect(disks.namespaces.list()).toMatchObject([
    { nsid: 1, lbaShift: 9, blocks: MIB / 512 },
    { nsid: 2, lbaShift: 12, blocks: MIB / 4096 },
  ]);
  expect(disks.virtioDisk()?.info).toMatchObject({ type: "scsi", lbaShift: 9, blocks: MIB / 512 });
  const nguids = disks.namespaces.list().map(({ nguid }) => nguid);
  expect(new Set(nguids).size).toBe(2);
});

it("lets the guest format a namespace, and neither make nor remove one", async () => {
  const { namespaces } = new AttachedDisks([{ place: 1, disk: await disk() }]);
  let changes = 0;
  const user: NamespaceUser = { withdraw: async () => {}, changed: () => void changes++ };
  namespaces.use(user);
  await namespaces.setLbaShift(1, 12);
  expect(changes).toBe(1);
  expect(namespaces.list()).toMatchObject([{ lbaShift: 12, blocks: MIB / 4096 }]);
  await expect(namespaces.setLbaShift(2, 12)).rejects.toMatchObject({ refusal: "not-allocated" });
  await expect(namespaces.create({ lbaShift: 9, blocks: 8 })).rejects.toMatchObject({
    refusal: "insufficient-capacity",
  });
  expect(await namespaces.unallocatedBytes()).toBe(0);
  for (const call of ["delete", "detach", "erase"] as const) {
    await expect(namespaces[call](1)).rejects.toMatchObject({ refusal: "protected" });
    await expect(namespaces[call](9)).rejects.toMatchObject({ refusal: "not-allocated" });
  }
  await expect(namespaces.attach(1)).rejects.toMatchObject({ refusal: "already-attached" });
});

it("a disk in memory begins with its image, wherever that lies in its buffer", async () => {
  const image = new Uint8Array(3 * MIB + 3).subarray(3);
  image[MIB] = 7;
  const { cache, close } = await openDisk({ kind: "memory", image }, options);
  expect(cache.byteLength).toBe(3 * MIB);
  // The other chunks are zeroes and take no room.
  expect(cache.allocatedBytes).toBe(256 * 1024);
  await close();
  await expect(openDisk({ kind: "memory", capacityBytes: MIB, image }, options)).rejects.toThrow(
    /does not fit/,
  );
});
