import { describe, expect, it } from "vitest";
import { parseSettings } from "../../app/settings.ts";
import { defaultSystem, label, selectSystems, systems } from "./systems.ts";

const labels = (list: typeof systems) => list.map(label);

describe("the rows", () => {
  it("each have a label of their own", () => {
    expect(new Set(labels(systems)).size).toBe(systems.length);
  });

  it("are nvme in every serving mode with and without shadow doorbells, and its peers", () => {
    const servings = ["mmio", "mainloop", "iothread", "iothread+poll"];
    expect(labels(systems)).toEqual(
      expect.arrayContaining([
        ...servings.map(serving => `nvme ${serving} none msix`),
        ...servings.map(serving => `nvme ${serving} dbbuf msix`),
        ...servings.map(serving => `virtio-blk ${serving} none msix`),
        "nvme iothread+poll google msix",
        "nvme iothread+poll dbbuf intx",
        "nvme-no-halt-poll iothread+poll dbbuf msix",
        "virtio-scsi iothread none msix",
        "virtio-scsi iothread+poll none msix",
        "ide mmio none intx",
      ]),
    );
  });

  it("begin with what a visitor gets", () => {
    const { settings } = parseSettings(`?${new URLSearchParams(defaultSystem.parameters)}`);
    expect(systems[0]).toBe(defaultSystem);
    expect(settings).toEqual(parseSettings("").settings);
  });

  it("have addresses that the page understands, and that set what the label says", () => {
    for (const system of systems) {
      if (system.kind !== "page") continue;
      const { settings, notices } = parseSettings(`?${new URLSearchParams(system.parameters)}`);
      expect(notices).toEqual([]);
      expect(settings.interrupts).toBe(system.interrupt);
      expect(system.system.startsWith(settings.scratch)).toBe(true);
      if (system.counted) expect(settings.serving).toBe(system.serving);
      if (settings.scratch === "nvme")
        expect(settings.shadowDoorbells).toBe(system.extension === "none" ? "off" : system.extension);
    }
  });

  it("under QEMU attach both drives, each once", () => {
    for (const system of systems) {
      if (system.kind !== "qemu") continue;
      const text = system.devices.join(" ");
      expect(text.match(/drive=root/g)).toHaveLength(1);
      expect(text.match(/drive=scratch/g)).toHaveLength(1);
    }
  });
});

describe("the selection", () => {
  it("of a quick run is a part of all, in the same order", () => {
    const quick = selectSystems(true, [], true);
    expect(quick).toEqual(systems.filter(system => quick.includes(system)));
    expect(labels(quick)).toEqual(
      expect.arrayContaining([
        "nvme mmio dbbuf msix",
        "nvme mainloop dbbuf msix",
        "nvme iothread dbbuf msix",
        "nvme iothread+poll dbbuf msix",
        "nvme iothread+poll none msix",
        "virtio-blk iothread+poll none msix",
        "ide mmio none intx",
        "qemu-nvme mmio dbbuf msix",
        "qemu-virtio-blk iothread+poll none msix",
      ]),
    );
    expect(selectSystems(false, [], true)).toEqual(systems);
  });

  it("leaves QEMU's rows out where there is no QEMU", () => {
    expect(labels(selectSystems(false, [], false)).join()).not.toContain("qemu");
  });

  it("by text takes every label that contains one of them, also those that a quick run leaves out", () => {
    expect(labels(selectSystems(true, ["intx"], true))).toEqual([
      "ide mmio none intx",
      "nvme iothread+poll dbbuf intx",
    ]);
    expect(labels(selectSystems(false, ["virtio-scsi mainloop", "google"], true))).toEqual([
      "qemu-virtio-scsi mainloop none msix",
      "nvme iothread+poll google msix",
    ]);
  });
});
