import { describe, expect, it } from "vitest";
import { compileRule, FaultRuleError } from "./compile_rule.ts";
import type { FaultRule } from "./rules.ts";

describe("a fault rule", () => {
  it.each<[string, FaultRule]>([
    ["a delay", { action: "delay", ms: 300, command: "read", nsid: 2 }],
    ["a failure", { action: "fail", sct: 2, sc: 0x81, dnr: true, lba: [0, 7], count: 1 }],
    ["an admin command's", { action: "drop", command: "identify" }],
    ["at once", { action: "remove", now: true }],
    [
      "with all conditions",
      {
        action: "stall",
        ms: 1,
        command: 2,
        queue: 1,
        nsid: 1,
        lba: [5, 5],
        skip: 3,
        count: 2,
        probability: 0.5,
        seed: 7,
      },
    ],
  ])("is taken: %s", (_, rule) => {
    expect(() => compileRule(rule)).not.toThrow();
  });

  it("belongs to the admin queue by its queue, or by its command's name", () => {
    expect(compileRule({ action: "drop" }).isAdmin).toBe(false);
    expect(compileRule({ action: "drop", queue: 0 }).isAdmin).toBe(true);
    expect(compileRule({ action: "drop", queue: "admin" }).isAdmin).toBe(true);
    expect(compileRule({ action: "drop", command: "abort" }).isAdmin).toBe(true);
    expect(compileRule({ action: "drop", command: "write" }).isAdmin).toBe(false);
  });

  // Rules come from scripts and files: what the types forbid comes nevertheless.
  it.each<[unknown, RegExp]>([
    ["drop", /A fault rule is an object/],
    [null, /A fault rule is an object/],
    [{}, /action: undefined is none of "delay", "fail"/],
    [{ action: "explode" }, /action: "explode" is none of/],
    [{ action: "toString" }, /action: "toString" is none of/],
    [{ action: "drop", opcode: 2 }, /opcode: a rule with action "drop" has no such field/],
    [{ action: "drop", ms: 5 }, /ms: a rule with action "drop" has no such field/],
    [{ action: "delay" }, /ms: undefined is not a whole number from 1 to 600000/],
    [{ action: "delay", ms: -1 }, /ms: -1 is not/],
    [{ action: "delay", ms: "5" }, /ms: "5" is not/],
    [{ action: "stall", ms: 60_000 }, /ms: 60000 is not a whole number from 1 to 10000/],
    [{ action: "fail", sct: 8, sc: 1 }, /sct: 8 is not a whole number from 0 to 7/],
    [{ action: "fail", sct: 0, sc: 0x100 }, /sc: 256 is not/],
    [{ action: "fail", sct: 0, sc: 0 }, /status code 0 of type 0 is success/],
    [{ action: "fail", sct: 0, sc: 6, dnr: 1 }, /dnr: 1 is not true or false/],
    [{ action: "corrupt", bytes: 0 }, /bytes: 0 is not/],
    [{ action: "corrupt", command: "flush" }, /"corrupt" needs data to corrupt/],
    [{ action: "corrupt", queue: "admin" }, /"corrupt" is for I\/O queues/],
    [{ action: "stall", ms: 5, command: "identify" }, /"stall" is for I\/O queues/],
    [{ action: "drop", command: "reed" }, /command: "reed" is no NVM command: flush, write, read/],
    [{ action: "drop", command: "read", queue: "admin" }, /"read" is no admin command/],
    [{ action: "drop", command: "constructor" }, /is no NVM command/],
    [{ action: "drop", command: 256 }, /command: 256 is not/],
    [{ action: "drop", queue: "IO" }, /queue: "IO" is not "io", "admin" or a whole number from 0 to 16/],
    [{ action: "drop", queue: 17 }, /queue: 17 is not/],
    [{ action: "drop", nsid: 0 }, /nsid: 0 is not/],
    [{ action: "drop", lba: 5 }, /lba: 5 is not \[first block, last block\]/],
    [{ action: "drop", lba: [1] }, /is not \[first block, last block\]/],
    [{ action: "drop", lba: [8, 7] }, /the first block, 8, is behind the last one, 7/],
    [{ action: "drop", skip: 0.5 }, /skip: 0.5 is not a whole number of 0 or more/],
    [{ action: "drop", count: 0 }, /count: 0 is not/],
    [{ action: "drop", probability: 0 }, /probability: 0 is not above 0 and at most 1/],
    [{ action: "drop", probability: Number.NaN }, /is not above 0 and at most 1/],
    [{ action: "drop", seed: -1 }, /seed: -1 is not/],
    [{ action: "drop", now: true }, /now: "drop" happens to commands/],
    [{ action: "remove", now: true, count: 1 }, /count: a rule with now: true has no other condition/],
    [{ action: "remove", now: "yes" }, /now: "yes" is not true or false/],
  ])("is refused, with the reason: %j", (rule, reason) => {
    expect(() => compileRule(rule as FaultRule)).toThrow(FaultRuleError);
    expect(() => compileRule(rule as FaultRule)).toThrow(reason);
  });
});
