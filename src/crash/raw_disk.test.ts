import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { BLOCK_BYTES, blockContent, GENERATOR } from "./content.ts";
import { Random } from "./random.ts";
import { RAW_BLOCKS, RAW_BYTES, RawDisk, type RawStep } from "./raw_disk.ts";

/** A disk that does at once what it is told. */
class Image {
  readonly bytes = new Uint8Array(RAW_BYTES);

  apply({ changes }: RawStep): this {
    for (const { first, blocks, version, zeroes } of changes) {
      for (let block = first; block < first + blocks; block++) {
        this.bytes.set(
          zeroes ? new Uint8Array(BLOCK_BYTES) : blockContent(block, version),
          block * BLOCK_BYTES,
        );
      }
    }
    return this;
  }
}

/** Steps until one is of this kind; the ones before are done, and acknowledged. */
function stepOf(durable: RawStep["durable"], disk: RawDisk, image: Image, random: Random): RawStep {
  for (;;) {
    const step = disk.nextStep(random);
    if (step.durable === durable && step.changes.every(({ zeroes }) => !zeroes)) return step;
    image.apply(step);
    disk.acknowledged(step);
  }
}

it("makes up the same steps from the same seed", () => {
  const plan = (seed: number) => {
    const random = new Random(seed);
    const disk = new RawDisk();
    return Array.from({ length: 50 }, () => disk.nextStep(random).command);
  };
  expect(plan(1)).toEqual(plan(1));
  expect(plan(1)).not.toEqual(plan(2));
});

it("stays within its part of the disk", () => {
  const random = new Random(3);
  const disk = new RawDisk();
  for (let i = 0; i < 2000; i++) {
    for (const { first, blocks } of disk.nextStep(random).changes) {
      expect(first).toBeGreaterThanOrEqual(0);
      expect(blocks).toBeGreaterThanOrEqual(1);
      expect(first + blocks).toBeLessThanOrEqual(RAW_BLOCKS);
    }
  }
});

it("finds nothing wrong with a disk that keeps everything", () => {
  const random = new Random(4);
  const disk = new RawDisk();
  const image = new Image();
  for (let i = 0; i < 300; i++) {
    const step = disk.nextStep(random);
    image.apply(step);
    disk.acknowledged(step);
    if (i % 50 === 0) expect(disk.check(image.bytes)).toEqual([]);
  }
});

it.each(["all", "own"] as const)("finds a lost write that was acknowledged as durable (%s)", durable => {
  const random = new Random(5);
  const disk = new RawDisk();
  const image = new Image();
  const step = stepOf(durable, disk, image, random);
  disk.acknowledged(step); // … and it never reached the image
  const blocks = step.changes.reduce((sum, change) => sum + change.blocks, 0);
  const violations = disk.check(image.bytes);
  expect(violations).toHaveLength(blocks);
  expect(violations[0].allowed).toContain(`version ${step.changes[0].version}`);
});

it("allows the old and the new content of a write that was not flushed, and nothing in between", () => {
  for (const outcome of ["old", "new", "torn"] as const) {
    const random = new Random(6);
    const disk = new RawDisk();
    const image = new Image();
    const step = stepOf("none", disk, image, random);
    disk.acknowledged(step);
    if (outcome !== "old") image.apply(step);
    const at = step.changes[0].first * BLOCK_BYTES;
    if (outcome === "torn") image.bytes.fill(0, at + 512, at + 1024);
    expect(disk.check(image.bytes)).toHaveLength(outcome === "torn" ? 1 : 0);
  }
});

it("does not let a found version go back to an older one", () => {
  const random = new Random(7);
  const disk = new RawDisk();
  const image = new Image();
  const step = stepOf("none", disk, image, random);
  const before = image.bytes.slice();
  disk.acknowledged(step);
  expect(disk.check(image.apply(step).bytes)).toEqual([]);
  expect(disk.check(before).length).toBeGreaterThan(0);
});

it("finds garbage", () => {
  const disk = new RawDisk();
  const bytes = new Uint8Array(RAW_BYTES);
  bytes[5 * BLOCK_BYTES + 1000] = 1;
  expect(disk.check(bytes)).toEqual([
    expect.objectContaining({
      where: expect.stringContaining("block 5 "),
      allowed: expect.stringContaining("0"),
    }),
  ]);
});

it("has the shell make the same content", () => {
  const made = execFileSync("sh", ["-c", `${GENERATOR}\ngen 98 3 1234`]);
  const blocks = [98, 99, 100].map(block => blockContent(block, 1234));
  expect(Buffer.compare(made, Buffer.concat(blocks))).toBe(0);
});
