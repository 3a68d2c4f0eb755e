import { expect, it } from "vitest";
import type { Machine, MachineSettings } from "../api.ts";
import type { OwnMachine } from "../own/own_machine.ts";
import { obstacleOf } from "./obstacles.ts";

const settings = { scratch: "nvme", network: "" } as MachineSettings;
const ownMachine: OwnMachine = {
  id: "1",
  name: "old",
  commandLine: "",
  disks: [{ kind: "kept", id: "a", name: "a" }],
  bus: "ide",
  bootOrder: [],
};
const machine = {
  settings,
  readOnly: false,
  rescue: false,
  faults: { armed: [] } as unknown as Machine["faults"],
};

it("says why no snapshot can be taken", () => {
  expect(obstacleOf(machine)).toBeUndefined();
  expect(obstacleOf({ ...machine, readOnly: true })).toContain("copy of the disks");
  const ofOwn = (own: Partial<OwnMachine>) =>
    obstacleOf({ ...machine, settings: { ...settings, own: { ...ownMachine, ...own } } });
  expect(ofOwn({})).toBeUndefined();
  expect(ofOwn({ id: undefined })).toContain("comes from a link");
  expect(obstacleOf({ ...machine, rescue: true })).toContain("rescue shell");
  for (const scratch of ["ide", "virtio-blk", "virtio-scsi"] as const) {
    expect(obstacleOf({ ...machine, settings: { ...settings, scratch } })).toBeUndefined();
  }
  const network = "wss://relay.example";
  expect(obstacleOf({ ...machine, settings: { ...settings, network } })).toContain("network card");
  const faults = { armed: [{ id: 1, rule: {} }] } as unknown as Machine["faults"];
  expect(obstacleOf({ ...machine, faults })).toContain("Faults are being injected");
});
