import { describe, expect, it } from "vitest";
import { type LinkedMachine, parseMachineLink } from "./link.ts";

const PAGE = "https://here.test/doorbell/";

function good(query: string): LinkedMachine {
  const parsed = parseMachineLink(query, PAGE);
  if ("problems" in parsed) throw new Error(parsed.problems.join(" "));
  return parsed;
}

function problems(query: string): string {
  const parsed = parseMachineLink(query, PAGE);
  return "problems" in parsed ? parsed.problems.join(" ") : "";
}

describe("a link with images", () => {
  it("is a machine with what it names, and old settings for the rest", () => {
    const { settings, foreignOrigins } = good(
      "?cdrom=https://there.test/a.iso&disk=b.img&bus=ide&memory=64&boot=disk,cdrom&name=Old%20one",
    );
    expect(settings).toMatchObject({
      memoryMiB: 64,
      interrupts: "intx",
      diskAccess: "own",
      // The disks of IDE drives are in the vCPU's thread.
      serving: "mainloop",
      own: {
        name: "Old one",
        cdrom: { kind: "url", url: "https://there.test/a.iso" },
        disks: [{ kind: "url", url: "https://here.test/doorbell/b.img" }],
        bus: "ide",
        bootOrder: ["disk", "cdrom"],
      },
    });
    expect(foreignOrigins).toEqual(["https://there.test"]);
  });

  it("has no disk of this browser, whatever it says", () => {
    for (const text of ["system", "../scratch", "disks/a"]) {
      for (const disk of good(`?disk=${text}`).settings.own?.disks ?? []) expect(disk.kind).toBe("url");
    }
    expect(problems("?disk=kept:system-1")).toContain("http or https");
    expect(problems("?disk=blob:https://here.test/1")).toContain("http or https");
    expect(problems("?cdrom=a.iso&disks=takeover")).toContain("means nothing here");
    expect(problems("?cdrom=a.iso&machine=1234")).toContain("means nothing here");
  });

  it("looks only where there is something to boot", () => {
    expect(good("?floppy=a").settings.own?.bootOrder).toEqual(["floppy"]);
    expect(good("?cdrom=a&disk=b").settings.own?.bootOrder).toEqual(["cdrom", "disk"]);
    expect(good("?cdrom=a").settings.serving).toBe("iothread+poll");
  });

  it("takes a kernel with its initrd and command line", () => {
    expect(good("?bzimage=k&initrd=i&cmdline=quiet%20a%3Db&interrupts=msix").settings).toMatchObject({
      interrupts: "msix",
      own: { kernel: { url: `${PAGE}k` }, initrd: { url: `${PAGE}i` }, commandLine: "quiet a=b" },
    });
  });

  it.each([
    ["?cdrom=", "http or https"],
    ["?cdrom=ftp://a/b", "ftp://a/b"],
    ["?cdrom=javascript:alert(1)", "http or https"],
    ["?cdrom=a&cdrom=b", "2 times"],
    ["?cdrom=a&bus=scsi", "nvme, virtio, ide"],
    ["?cdrom=a&memory=3", "from 4 to 2048"],
    ["?cdrom=a&memory=64M", "from 4 to 2048"],
    ["?cdrom=a&boot=usb", "floppy, cdrom, disk"],
    ["?cdrom=a&boot=cdrom,cdrom", "floppy, cdrom, disk"],
    ["?cdrom=a&cmdline=%00", "printable ASCII"],
    ["?cdrom=a&serving=none", "serving"],
    ["?cdrm=a&floppy=b", "“cdrm=…”, which means nothing"],
    ["?initrd=a", "goes with a kernel"],
    ["?floppy=a&cmdline=quiet", "goes with a kernel"],
    ["?disk=a&disk=b&bus=virtio", "one disk on virtio"],
    ["?disk=a&disk=b&disk=c&bus=ide", "2 disks on IDE"],
  ])("%s is refused with a sentence", (query, sentence) => {
    expect(problems(query)).toContain(sentence);
  });

  it("never throws, whatever the address", () => {
    for (const query of [
      "?cdrom=%",
      "?cdrom=http://[",
      "?disk=http://",
      `?cdrom=${"a".repeat(9000)}`,
      "?=&cdrom=a&&",
    ]) {
      expect(() => parseMachineLink(query, PAGE)).not.toThrow();
    }
  });
});
