import { describe, expect, it } from "vitest";
import { label, systems } from "./definitions/systems.ts";
import { parseOptions, UsageError, usage } from "./options.ts";

describe("the command line", () => {
  it("measures everything unless told otherwise", () => {
    expect(parseOptions([])).toEqual({ quick: false, help: false, only: [] });
  });

  it("takes --quick, --json and --only, which may be repeated or hold several", () => {
    expect(
      parseOptions(["--quick", "--json", "rows.json", "--only", "ide, nvme mmio", "--only=virtio-blk"]),
    ).toEqual({
      quick: true,
      help: false,
      json: "rows.json",
      only: ["ide", "nvme mmio", "virtio-blk"],
    });
  });

  it.each(["storage", "views"])("measures %s alone", part => {
    expect(parseOptions([part, "--quick"])).toEqual({ quick: true, help: false, part, only: [] });
  });

  it.each([
    [["storage", "disk"], "“disk”"],
    [["storage", "--only", "nvme"], "storage"],
    [["views", "--json", "x"], "views"],
    [["--fast"], "--fast"],
    [["quick"], "quick"],
    [["--json"], "--json"],
    [["--json="], "--json"],
    [["--only", "nvme,"], "--only"],
    [["--only", "floppy"], "“floppy”"],
  ])("refuses %j with a message", (args, mentioned) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(mentioned);
  });

  it("lists every label in its help", () => {
    for (const system of systems) expect(usage).toContain(label(system));
  });
});
