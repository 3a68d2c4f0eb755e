import { expect, it } from "vitest";
import type { Machine, MachineSettings } from "../api.ts";
import { obstacleOf } from "./obstacles.ts";

const settings = { scratch: "nvme", network: "" } as MachineSettings;
const machine = {
  settings,
  readOnly: false,
  rescue: false,
  faults: { armed: [] } as unknown as Machine["faults"],
};

it("says why no snapshot can be taken", () => {
  expect(obstacleOf(machine)).toBeUndefined();
  expect(obstacleOf({ ...machine, readOnly: true })).toContain("copy of the disks");
  const own = {} as MachineSettings["own"];
  expect(obstacleOf({ ...machine, settings: { ...settings, own } })).toContain("machines of your own");
  expect(obstacleOf({ ...machine, rescue: true })).toContain("rescue shell");
  for (const scratch of ["ide", "virtio-blk", "virtio-scsi"] as const) {
    expect(obstacleOf({ ...machine, settings: { ...settings, scratch } })).toContain(scratch);
  }
  const network = "wss://relay.example";
  expect(obstacleOf({ ...machine, settings: { ...settings, network } })).toContain("network card");
  const faults = { armed: [{ id: 1, rule: {} }] } as unknown as Machine["faults"];
  expect(obstacleOf({ ...machine, faults })).toContain("Faults are being injected");
});
