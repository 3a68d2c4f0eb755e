import { describe, expect, it } from "vitest";
import { MSIX_PBA_OFFSET, MSIX_TABLE_OFFSET, MsixTable } from "./msix.ts";

const ENABLE = 1 << 31;
const FUNCTION_MASK = 1 << 30;

function rig() {
  const state = { control: ENABLE };
  const delivered: number[] = [];
  const table = new MsixTable(
    4,
    () => state.control,
    vector => delivered.push(vector),
  );
  const setEntry = (index: number, vector: number, masked: boolean) => {
    table.writeRegister(MSIX_TABLE_OFFSET + index * 16, 0xfee00000);
    table.writeRegister(MSIX_TABLE_OFFSET + index * 16 + 8, vector);
    table.writeRegister(MSIX_TABLE_OFFSET + index * 16 + 12, masked ? 1 : 0);
  };
  return { table, state, delivered, setEntry };
}

describe("MsixTable", () => {
  it("begins with all vectors masked, and keeps what is written", () => {
    const { table, setEntry } = rig();
    expect(table.readRegister(MSIX_TABLE_OFFSET + 12)).toBe(1);
    setEntry(3, 0x41, false);
    expect(table.readRegister(MSIX_TABLE_OFFSET + 56)).toBe(0x41);
    table.writeRegister(MSIX_TABLE_OFFSET + 4 * 16, 1);
    expect(table.readRegister(MSIX_TABLE_OFFSET + 4 * 16)).toBe(0);
  });

  it("delivers the vector that the entry's data names", () => {
    const { table, delivered, setEntry } = rig();
    setEntry(2, 0x35, false);
    table.raise(2);
    table.deliverPending();
    expect(delivered).toEqual([0x35]);
  });

  it("keeps a masked vector pending and delivers it when the mask is gone", () => {
    const { table, delivered, setEntry } = rig();
    setEntry(1, 0x31, true);
    table.raise(1);
    table.raise(1);
    expect(delivered).toEqual([]);
    expect(table.readRegister(MSIX_PBA_OFFSET)).toBe(1 << 1);
    setEntry(1, 0x31, false);
    table.deliverPending();
    expect(delivered).toEqual([0x31]);
    expect(table.readRegister(MSIX_PBA_OFFSET)).toBe(0);
  });

  it("delivers nothing while the function is masked", () => {
    const { table, state, delivered, setEntry } = rig();
    setEntry(0, 0x30, false);
    state.control |= FUNCTION_MASK;
    table.raise(0);
    expect(delivered).toEqual([]);
    state.control = ENABLE;
    table.deliverPending();
    expect(delivered).toEqual([0x30]);
  });

  it("describes itself in its capability", () => {
    expect([...MsixTable.capability(17)]).toEqual([0x11, 0, 16, 0, 0, 0, 1, 0, 0, 0x80, 1, 0]);
  });
});

it("goes on with what was pending and masked elsewhere", () => {
  const first = new MsixTable(
    4,
    () => 1 << 31,
    () => {},
  );
  first.writeRegister(MSIX_TABLE_OFFSET + 8, 0x31);
  first.raise(0);
  const delivered: number[] = [];
  const second = new MsixTable(
    4,
    () => 1 << 31,
    vector => void delivered.push(vector),
  );
  second.restore(JSON.parse(JSON.stringify(first.save())));
  second.deliverPending();
  expect(delivered).toEqual([]);
  second.writeRegister(MSIX_TABLE_OFFSET + 12, 0);
  second.deliverPending();
  expect(delivered).toEqual([0x31]);
});
