import { describe, expect, it } from "vitest";
import type { FaultAction } from "../faults/rules.ts";
import type { Rig } from "../testing/driver.ts";
import { campaign } from "./campaign.ts";
import { Coverage } from "./coverage.ts";
import { Episode } from "./episode.ts";
import { parseOptions, UsageError } from "./options.ts";
import { Random } from "./random.ts";

/** FUZZ_COMMANDS and FUZZ_SEED for other runs; the long one is `npm run fuzz`. */
const COMMANDS = Number(process.env.FUZZ_COMMANDS ?? 12_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

describe("a campaign", () => {
  it("finds nothing: no throw, no write outside of what was given, each command answered exactly once", async () => {
    const { commands, coverage } = await campaign({ seed: SEED, commands: COMMANDS });
    expect(commands).toBeGreaterThanOrEqual(COMMANDS);
    // That it gets somewhere: successes, and the errors of each part of the device.
    const reached = [...coverage.statuses.keys()];
    expect(reached).toEqual(
      expect.arrayContaining([
        0x000, 0x001, 0x002, 0x004, 0x009, 0x00a, 0x00b, 0x00d, 0x011, 0x013, 0x01d, 0x080, 0x109, 0x281,
        0x285,
      ]),
    );
  });

  it("is the same with the same seed, and another with another", async () => {
    const run = async (seed: number) => {
      const { commands, coverage } = await campaign({ seed, commands: 1500 });
      return [commands, coverage.places, ...[...coverage.statuses].flat()];
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });
});

describe("what is wrong with a device is found", () => {
  /** What the first of some episodes that fails says. */
  async function findIn(tamper: (rig: Rig) => void): Promise<string> {
    const coverage = new Coverage();
    for (let seed = 1; seed <= 20; seed++) {
      const episode = await Episode.create(new Random(seed), coverage, tamper);
      try {
        await episode.run(400);
      } catch (error) {
        return String(error);
      }
    }
    return "nothing";
  }
  const onReads = (action: FaultAction) => (rig: Rig) => rig.armFaults({ ...action, command: "read" });

  it("a completion that comes twice", async () => {
    expect(await findIn(onReads({ action: "duplicate" }))).toContain("is answered that is not under way");
  });

  it("one that does not come", async () => {
    expect(await findIn(onReads({ action: "drop" }))).toContain("not answered");
  });

  it("a write beside the buffer", async () => {
    expect(await findIn(writesTooFar)).toMatch(
      /the device wrote to the page at|a command that runs alone wrote to/,
    );
  });

  it("an exception", async () => {
    const throws = (rig: Rig) => {
      rig.disks[0].device.tryRead = () => {
        throw new Error("tampered");
      };
    };
    expect(await findIn(throws)).toContain("Internal Error");
  });
});

/** Reads put a byte behind what they were asked for. */
function writesTooFar(rig: Rig): void {
  const { device } = rig.disks[0];
  const tryRead = device.tryRead.bind(device);
  device.tryRead = (offset, vector) => {
    const done = tryRead(offset, vector);
    const last = vector.count - 1;
    if (done && last >= 0) rig.memory.bytes[vector.offsets[last] + vector.lengths[last]] ^= 1;
    return done;
  };
}

describe("the command line", () => {
  it("takes numbers", () => {
    expect(parseOptions(["--commands", "10", "--seed", "3"])).toEqual({ commands: 10, seed: 3, help: false });
    expect(parseOptions([])).toEqual({ commands: 100_000, seed: 1, help: false });
    for (const args of [["--commands", "x"], ["--seed", "0"], ["--what"], ["5"]]) {
      expect(() => parseOptions(args)).toThrow(UsageError);
    }
  });
});
