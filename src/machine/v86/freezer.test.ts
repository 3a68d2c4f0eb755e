import { expect, it } from "vitest";
import { Freezer } from "./freezer.ts";

function standing(freezer: Freezer) {
  let nowMs = 0;
  const calls: string[] = [];
  const stand = () =>
    freezer.stand({
      serve: () => void calls.push("serve"),
      wait: async () => {
        nowMs += 1;
      },
      now: () => nowMs,
    });
  return { calls, stand };
}

it("stands until the devices are quiet, serving them meanwhile, and then until it is let go", async () => {
  const freezer = new Freezer();
  let busy = 3;
  const frozen = freezer.freeze(() => busy-- === 0, 100);
  expect(freezer.isWanted).toBe(true);
  const { calls, stand } = standing(freezer);
  let goesOn = false;
  const stood = stand().then(() => {
    goesOn = true;
  });
  expect(await frozen).toBe(true);
  expect(calls).toHaveLength(4);
  await new Promise(resolve => setTimeout(resolve));
  expect(goesOn).toBe(false);
  // A second one would wait for ever.
  expect(await freezer.freeze(() => true, 100)).toBe(false);
  freezer.thaw();
  await stood;
  expect(freezer.isWanted).toBe(false);
});

it("lets the guest go on when that takes too long, and can be asked again", async () => {
  const freezer = new Freezer();
  const frozen = freezer.freeze(() => false, 5);
  const { calls, stand } = standing(freezer);
  await stand();
  expect(await frozen).toBe(false);
  expect(calls.length).toBeGreaterThanOrEqual(5);
  const again = freezer.freeze(() => true, 5);
  const stood = standing(freezer).stand();
  expect(await again).toBe(true);
  freezer.thaw();
  await stood;
});
