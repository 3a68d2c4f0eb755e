import { describe, expect, it } from "vitest";
import { allJobs, fullSizes, makeJobs, quickSizes } from "./jobs.ts";

const job = (name: string) => {
  const found = makeJobs(fullSizes).find(candidate => candidate.name === name);
  if (!found) throw new Error(`no job ${name}`);
  return found;
};

describe("benchmark jobs", () => {
  it("are dd and fio, every write before the reads of what it wrote", () => {
    expect(makeJobs(fullSizes).map(({ name }) => name)).toEqual([
      "write-4k",
      "write-1m",
      "read-1m",
      "read-4k",
      "randread-4k-qd1",
      "randread-4k-qd4",
      "randread-4k-qd16",
      "randread-4k-qd32",
    ]);
  });

  it("in a quick run are dd alone", () => {
    expect(makeJobs(quickSizes).map(({ name }) => name)).toEqual([
      "write-4k",
      "write-1m",
      "read-1m",
      "read-4k",
    ]);
  });

  it("say whether they write", () => {
    for (const { name, writes, command } of makeJobs(fullSizes)) {
      expect(writes).toBe(name.startsWith("write"));
      expect(/ of=\/dev\/vda/.test(command("/dev/vda"))).toBe(writes);
    }
  });

  it("read nothing that was not written", () => {
    for (const { count1m, count4k } of [fullSizes, quickSizes]) {
      expect(count1m * 256).toBeGreaterThanOrEqual(count4k);
      expect(count1m).toBeGreaterThanOrEqual(32);
    }
    expect(job("randread-4k-qd16").command("/dev/vda")).toContain("--size=32m");
  });

  it("name the device that they are given, and bypass the guest's page cache", () => {
    for (const { command } of makeJobs(fullSizes)) {
      expect(command("/dev/vda")).toMatch(/(of|if|filename)=\/dev\/vda /);
      expect(command("/dev/vda")).toMatch(/direct/);
    }
    expect(job("write-4k").command("/dev/vda")).toContain("if=/dev/zero of=/dev/vda oflag=direct");
  });
});

describe("all jobs", () => {
  it("are those of the command line, with the same commands, and the buffered ones", () => {
    const jobs = allJobs(fullSizes);
    const commandOf = (name: string) => jobs.find(job => job.name === name)?.command("/dev/vda");
    for (const { name, command } of makeJobs(fullSizes)) expect(commandOf(name)).toBe(command("/dev/vda"));
    expect(allJobs(quickSizes).map(({ name }) => name)).toEqual(jobs.map(({ name }) => name));
    expect(jobs).toHaveLength(makeJobs(fullSizes).length + 4);
    expect(commandOf("read-1m-buffered")).toBe(
      "echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vda of=/dev/null bs=1048576 count=256",
    );
    expect(commandOf("write-4k-buffered")).toBe(
      "dd if=/dev/zero of=/dev/vda conv=fdatasync bs=4096 count=8192",
    );
  });

  it("write before they read", () => {
    const writes = allJobs(quickSizes).map(job => job.writes);
    expect(writes).toEqual([...writes].sort((a, b) => Number(b) - Number(a)));
  });

  it("give the buffered ones in megabytes a second", () => {
    const job = allJobs(quickSizes).find(({ name }) => name === "read-4k-buffered");
    expect(job?.parse("8388608 bytes (8.4 MB, 8.0 MiB) copied, 0.5 s, 16.8 MB/s")).toBeCloseTo(16.777, 3);
  });
});

describe("dd's output", () => {
  const output =
    "2048+0 records in\n2048+0 records out\n8388608 bytes (8.4 MB, 8.0 MiB) copied, 0.5 s, 16.8 MB/s\n";

  it("gives megabytes or I/Os a second, from bytes and time", () => {
    expect(job("read-1m").parse(output)).toBeCloseTo(16.777, 3);
    expect(job("write-4k").parse(output)).toBe(4096);
  });

  it("is refused without a rate", () => {
    expect(() => job("read-4k").parse("dd: failed to open '/dev/nvme0n2'")).toThrow("no rate");
  });
});

describe("fio's output", () => {
  const terse = (error: number, kibibytes: number, milliseconds: number) =>
    `3;fio-3.33;randread;0;${error};${kibibytes};70564;17641;${milliseconds};0;0;0.000000;0.000000;0;0`;

  it("gives I/Os a second, also with other lines about it", () => {
    expect(job("randread-4k-qd16").parse(`fio: a warning\n${terse(0, 21240, 300)}\n\n`)).toBe(17700);
  });

  it("is refused with an error, without a rate, or when it is something else", () => {
    const { parse } = job("randread-4k-qd1");
    expect(() => parse(terse(5, 21240, 300))).toThrow("no rate");
    expect(() => parse(terse(0, 0, 300))).toThrow("no rate");
    expect(() => parse("fio: failed to open")).toThrow("no rate");
    expect(() => parse("3;fio-3.33;randread;0")).toThrow("no rate");
  });
});
