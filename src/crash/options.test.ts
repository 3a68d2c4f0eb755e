import { expect, it } from "vitest";
import { UsageError } from "../bench/options.ts";
import { parseOptions } from "./options.ts";

const parse = (...args: string[]) => parseOptions(args, () => 7);

it("has defaults, with a new seed each time", () => {
  expect(parse()).toEqual({ rounds: 20, seed: 7, help: false });
});

it("takes what is given", () => {
  expect(parse("--rounds", "200", "--seed", "0", "--json", "out.json")).toEqual({
    rounds: 200,
    seed: 0,
    json: "out.json",
    help: false,
  });
  expect(parse("--fill", "1024").fillMiB).toBe(1024);
});

it.each([
  ["--rounds", "0"],
  ["--rounds", "x"],
  ["--seed", "-1"],
  ["--fill", "2000"],
  ["--json", ""],
  ["--nonsense"],
])("refuses %s %s", (...args) => {
  expect(() => parse(...args.filter(arg => arg !== undefined))).toThrow(UsageError);
});
