import { expect, it } from "vitest";
import type { BlockDevice } from "../../storage/block_device.ts";
import type { AllocatedNamespace } from "./namespace_store.ts";
import { NamespacePublisher, NamespaceTable } from "./namespace_table.ts";
import { Control, SharedState } from "./shared_state.ts";

const disk = {} as BlockDevice;
const nguid = "fedcba98765432100123456789abcdef";
const namespace = (nsid: number, what: Partial<AllocatedNamespace> = {}): AllocatedNamespace => ({
  nsid,
  lbaShift: 9,
  blocks: 2 ** 33 + 5,
  nguid,
  allocatedBytes: 0,
  disk,
  ...what,
});

function ends() {
  const shared = new SharedState();
  return { shared, publisher: new NamespacePublisher(shared), table: new NamespaceTable(shared) };
}

it("carries what was published, sizes and identifiers in full", () => {
  const { publisher, table } = ends();
  publisher.publish([namespace(1), namespace(16, { lbaShift: 12, disk: undefined })], 16);
  publisher.publishUnallocated(5 * 2 ** 40 + 1);
  expect(table.refresh()).toEqual([]);
  expect(table.active).toEqual([{ nsid: 1, lbaShift: 9, blocks: 2 ** 33 + 5, nguid }]);
  expect(table.allocated.map(({ nsid, lbaShift }) => [nsid, lbaShift])).toEqual([
    [1, 9],
    [16, 12],
  ]);
  expect([table.highestNsid, table.unallocatedBytes]).toEqual([16, 5 * 2 ** 40]);
});

it("tells of each change that the host can see, also of one that was undone meanwhile", () => {
  const { publisher, table } = ends();
  publisher.publish([namespace(1), namespace(2)], 16);
  table.refresh();
  publisher.publish([namespace(1), namespace(2)], 16);
  expect(table.refresh()).toEqual([]);
  publisher.publish([namespace(1), namespace(2), namespace(3, { disk: undefined })], 16);
  expect(table.refresh()).toEqual([]); // allocated only
  publisher.publish([namespace(1, { lbaShift: 12 }), namespace(3)], 16);
  expect(table.refresh()).toEqual([1, 2, 3]);
  publisher.publish([namespace(1, { lbaShift: 12 })], 16);
  publisher.publish([namespace(1, { lbaShift: 12 }), namespace(3)], 16);
  expect(table.refresh()).toEqual([3]);
});

it("is not read while it is written", () => {
  const { shared, publisher, table } = ends();
  publisher.publish([namespace(1)], 16);
  table.refresh();
  shared.addControl(Control.NAMESPACE_SEQUENCE);
  shared.setControl(Control.HIGHEST_NSID, 3);
  table.refresh();
  expect(table.highestNsid).toBe(16);
  shared.addControl(Control.NAMESPACE_SEQUENCE);
  table.refresh();
  expect(table.highestNsid).toBe(3);
});
