import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { blockContent } from "./content.ts";
import { type FileStep, Files } from "./files.ts";
import { Random } from "./random.ts";

/** What READ_FILES prints of a file system that does at once what it is told. */
class Directory {
  log = "";
  readonly sums = new Map<number, string>();

  apply({ command, target, version }: FileStep): void {
    if (target === "log") {
      this.log += `entry ${version}\n`;
      return;
    }
    const blocks = Number(command.split(" ")[2]);
    const md5 = createHash("md5");
    for (let block = 0; block < blocks; block++) md5.update(blockContent(target + block, version));
    this.sums.set(target, md5.digest("hex"));
  }

  get output(): string {
    const sums = [...this.sums].map(([file, md5]) => `${md5}  f${file}\n`);
    return `${this.log}\n--- files\n${sums.join("")}`;
  }
}

function work(files: Files, directory: Directory, random: Random, steps: number): void {
  for (let i = 0; i < steps; i++) {
    const step = files.nextStep(random);
    directory.apply(step);
    files.acknowledged(step);
  }
}

it("finds nothing wrong with a file system that keeps everything", () => {
  const [files, directory, random] = [new Files(), new Directory(), new Random(1)];
  expect(files.check(directory.output)).toEqual([]);
  for (let round = 0; round < 10; round++) {
    work(files, directory, random, 20);
    expect(files.check(directory.output)).toEqual([]);
    expect(files.tidy).toBeUndefined();
  }
});

it("finds a file and an entry that went back to what they were before an acknowledged fsync", () => {
  const [files, directory, random] = [new Files(), new Directory(), new Random(2)];
  work(files, directory, random, 30);
  const before = directory.output;
  work(files, directory, random, 30);
  const where = files.check(before).map(violation => violation.where);
  expect(where).toContain("/root/crash/log");
  expect(where.some(path => /\/f\d$/.test(path))).toBe(true);
});

it("finds a file that is gone, and one with other content", () => {
  const [files, directory, random] = [new Files(), new Directory(), new Random(3)];
  work(files, directory, random, 60);
  const [gone, other] = [...directory.sums.keys()];
  directory.sums.delete(gone);
  directory.sums.set(other, "0".repeat(32));
  expect(files.check(directory.output).map(({ where }) => where)).toEqual(
    [gone, other].sort().map(file => `/root/crash/f${file}`),
  );
});

it("takes either side of a step that was not acknowledged, and cuts off half an entry", () => {
  const [files, directory, random] = [new Files(), new Directory(), new Random(4)];
  work(files, directory, random, 40);
  const entries = directory.log.split("\n").length - 1;
  const before = directory.output;
  let step: FileStep;
  do step = files.nextStep(random);
  while (step.target !== "log");
  expect(files.check(before)).toEqual([]);
  do step = files.nextStep(random);
  while (step.target !== "log");
  directory.log += "ent\0";
  expect(files.check(directory.output)).toEqual([]);
  expect(files.tidy).toContain(`head -n ${entries} `);
});

it("finds damage in front of acknowledged entries", () => {
  const [files, directory, random] = [new Files(), new Directory(), new Random(5)];
  work(files, directory, random, 40);
  directory.log = directory.log.replace("entry 2\n", "entry \0\n");
  expect(files.check(directory.output)).toEqual([
    expect.objectContaining({ where: "/root/crash/log", found: expect.stringContaining("1 entries, then") }),
  ]);
});
