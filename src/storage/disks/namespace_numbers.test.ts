import { describe, expect, it } from "vitest";
import type { DiskEntry } from "./disk_entry.ts";
import { freeNsid, HIGHEST_NSID, MAX_ATTACHED, numberAttached, withNsid } from "./namespace_numbers.ts";

function disk(id: string, what: Partial<DiskEntry> = {}): DiskEntry {
  return {
    id,
    name: id,
    kind: "indexeddb",
    lbaBytes: 512,
    capacityBytes: 2 ** 20,
    createdAt: 0,
    attached: false,
    nguid: "0",
    state: "ready",
    ...what,
  };
}

const ids = (entries: readonly DiskEntry[]) => entries.map(({ id, nsid }) => [id, nsid]);
const full = Array.from({ length: MAX_ATTACHED }, (_, i) =>
  disk(`d${i}`, { nsid: 3 + i, attached: i % 2 === 0 }),
);

describe("namespace ids", () => {
  it("are the lowest that no disk has, and leave those of the machine's own disks alone", () => {
    expect(freeNsid([])).toBe(3);
    expect(freeNsid([disk("a", { nsid: 3 }), disk("b", { nsid: 5 })])).toBe(4);
    expect(freeNsid(full)).toBeUndefined();
  });

  it("stay with a disk", () => {
    const kept = disk("a", { nsid: 7, attached: true });
    expect(withNsid(kept, [disk("b", { nsid: 3 })])).toEqual([kept]);
  });

  it("are taken from the last disk that is out of the machine when there are no others", () => {
    const [given, giver] = withNsid(disk("new", { attached: true }), full);
    expect(ids([given, giver])).toEqual([
      ["new", HIGHEST_NSID],
      [`d${MAX_ATTACHED - 1}`, undefined],
    ]);
    const known = full.map(each => (each.nsid === HIGHEST_NSID ? { ...each, allocated: true } : each));
    expect(withNsid(disk("new", { attached: true }), known)[0].nsid).toBe(HIGHEST_NSID - 2);
    const attached = full.map(each => ({ ...each, attached: true }));
    expect(withNsid(disk("new", { attached: true }), attached)[0].nsid).toBeUndefined();
  });

  it("are given to attached disks that have none, in their order", () => {
    const entries = [
      disk("system", { attached: true }),
      disk("a", { attached: true }),
      disk("b"),
      disk("c", { attached: true, nsid: 3 }),
      disk("d", { attached: true }),
    ];
    expect(ids(numberAttached(entries))).toEqual([
      ["a", 4],
      ["d", 5],
    ]);
    expect(numberAttached(full)).toEqual([]);
  });
});
