import { describe, expect, it } from "vitest";
import { label, systems } from "../../bench/definitions/systems.ts";
import { parseSettings } from "../settings.ts";
import {
  addressOf,
  type Choice,
  choiceIn,
  defaultChoice,
  jobNames,
  pageSystems,
  systemNames,
} from "./choice.ts";

const page = "http://localhost:4173/?serving=mmio&disks=takeover&memory=512#x";

describe("a link to a benchmark", () => {
  it("carries what is chosen, and the machine's settings", () => {
    for (const name of systemNames) {
      const choice: Choice = { thoroughness: "full", systems: [name], jobs: jobNames.slice(3, 7) };
      const { search, hash } = new URL(addressOf(choice, page));
      expect(choiceIn(search)).toEqual(choice);
      expect(parseSettings(search).settings).toMatchObject({ serving: "mmio", memoryMiB: 512 });
      expect(parseSettings(search).notices).toEqual([]);
      expect(hash).toBe("");
    }
  });

  it("takes nobody's disks, and does not allow to overwrite any", () => {
    const { search } = new URL(addressOf({ ...defaultChoice, jobs: ["write-1m"] }, page));
    expect(parseSettings(search).settings.diskAccess).toBe("own");
    expect(Object.keys(choiceIn(search) ?? {})).toEqual(["thoroughness", "systems", "jobs"]);
  });

  it("is not there in other addresses, and leaves out what it does not know", () => {
    expect(choiceIn("?serving=mmio")).toBeUndefined();
    expect(choiceIn("?bench")).toEqual(defaultChoice);
    expect(choiceIn("?bench=%00&benchSystems=qemu,,this&benchJobs=rm%20-rf,read-4k,constructor")).toEqual({
      thoroughness: "quick",
      systems: ["this"],
      jobs: ["read-4k"],
    });
  });

  it("may name each system of the command line that a page can measure", () => {
    expect([...pageSystems.keys()]).toEqual(systems.filter(({ kind }) => kind === "page").map(label));
  });
});
