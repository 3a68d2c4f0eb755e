import { describe, expect, test } from "vitest";
import { defaultSettings, parameters, parseSettings, settingsQuery } from "./settings.ts";

describe("parseSettings", () => {
  test("an empty query gives the defaults", () => {
    expect(parseSettings("")).toEqual({ settings: defaultSettings, notices: [] });
  });

  test("every parameter sets its setting", () => {
    const query =
      "?memory=512&boot=kernel&start=boot&disks=readonly&serving=mmio&shadow=off&interrupts=intx&scratch=virtio-blk&pollMaxUs=0&haltPollMaxUs=50&network=&kernel=nvme.poll_queues%3D1%20quiet";
    expect(parseSettings(query)).toEqual({
      settings: {
        diskAccess: "readonly",
        memoryMiB: 512,
        boot: "kernel",
        start: "boot",
        serving: "mmio",
        shadowDoorbells: "off",
        interrupts: "intx",
        scratch: "virtio-blk",
        pollMaxUs: 0,
        haltPollMaxUs: 50,
        network: "",
        kernelArguments: "nvme.poll_queues=1 quiet",
      },
      notices: [],
    });
  });

  test.each(["serving=iothread%2Bpoll", "serving=iothread+poll"])("%s is understood", query => {
    expect(parseSettings(query)).toEqual({ settings: defaultSettings, notices: [] });
  });

  test.each([
    ["memory=", "96 to 2048"],
    ["memory=64", "96 to 2048"],
    ["memory=4096", "96 to 2048"],
    ["memory=1e2", "96 to 2048"],
    ["memory=-256", "96 to 2048"],
    ["pollMaxUs=1.5", "0 to 1000000"],
    ["haltPollMaxUs=NaN", "0 to 1000000"],
    ["disks=steal", "own, takeover, readonly"],
    ["boot=floppy", "kernel, disk"],
    ["serving=kvm", "mmio, mainloop, iothread, iothread+poll"],
    ["shadow=virtio", "off, dbbuf, google"],
    ["kernel=a%00b", "printable ASCII"],
    [`kernel=${"x".repeat(1025)}`, "1024"],
  ])("%s is ignored with a notice that says what is allowed", (query, allowed) => {
    const { settings, notices } = parseSettings(query);
    expect(settings).toEqual(defaultSettings);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(query.split("=")[0]);
    expect(notices[0]).toContain(allowed);
    expect(notices[0].length).toBeLessThan(200);
  });

  test("good values next to a bad one are kept", () => {
    const { settings, notices } = parseSettings("memory=128&shadow=on");
    expect(settings).toEqual({ ...defaultSettings, memoryMiB: 128 });
    expect(notices).toHaveLength(1);
  });

  test("a command line for a kernel that is on the disk is named as ignored", () => {
    const { settings, notices } = parseSettings("boot=disk&kernel=quiet");
    expect(settings.boot).toBe("disk");
    expect(notices).toEqual([expect.stringContaining("grub.cfg")]);
    expect(parseSettings("boot=disk").notices).toEqual([]);
  });

  test("the last of several wins; parameters of others are left alone", () => {
    expect(parseSettings("memory=1&memory=128&utm_source=x")).toEqual({
      settings: { ...defaultSettings, memoryMiB: 128 },
      notices: [],
    });
  });
});

describe("settingsQuery", () => {
  test("defaults need no query", () => {
    expect(settingsQuery(defaultSettings)).toBe("");
  });

  test("is read back as the same settings", () => {
    const settings = {
      ...defaultSettings,
      diskAccess: "readonly",
      memoryMiB: 512,
      serving: "iothread",
      shadowDoorbells: "google",
      scratch: "virtio-scsi",
      pollMaxUs: 0,
      kernelArguments: "nvme.poll_queues=1 a+b&c=%20",
    } as const;
    expect(parseSettings(settingsQuery(settings))).toEqual({ settings, notices: [] });
    expect(settingsQuery({ ...defaultSettings, serving: "mmio" })).toBe("?serving=mmio");
  });

  test("each setting has its parameter", () => {
    const texts = parameters.map(({ textOf }) => textOf(defaultSettings));
    expect(texts.toSorted()).toEqual(Object.values(defaultSettings).map(String).toSorted());
  });
});

describe("network", () => {
  test.each(["fetch", "wss://relay.invalid/", "ws://127.0.0.1:8080/x?y=1", "wisps://relay.invalid/wisp/"])(
    "%s is taken, and stands in links",
    network => {
      const { settings, notices } = parseSettings(`?network=${encodeURIComponent(network)}`);
      expect(notices).toEqual([]);
      expect(settings.network).toBe(network);
      expect(parseSettings(settingsQuery(settings)).settings).toEqual(settings);
    },
  );

  test.each([
    "inbrowser",
    "https://relay.invalid/",
    "javascript:alert(1)",
    "wss://",
    "wss://a b/",
    `wss://${"a".repeat(300)}/`,
  ])("%s is not", network => {
    const { settings, notices } = parseSettings(`?network=${encodeURIComponent(network)}`);
    expect(settings.network).toBe("");
    expect(notices.join()).toContain("wisps://");
  });

  test("is refused where the card would share an interrupt line", () => {
    const { settings, notices } = parseSettings("?network=fetch&interrupts=intx&scratch=virtio-blk");
    expect(settings).toMatchObject({ network: "", interrupts: "intx", scratch: "virtio-blk" });
    expect(notices).toHaveLength(1);
  });
});
