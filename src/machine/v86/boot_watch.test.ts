import { expect, it } from "vitest";
import { Counter, counterBytes } from "../../trace/counters.ts";
import { BootWatch } from "./boot_watch.ts";

const PAGING = 1 << 31;

function rig() {
  const cr = new Int32Array(new SharedArrayBuffer(32));
  const counters = new Int32Array(counterBytes / 4);
  const stages: string[] = [];
  const watch = new BootWatch({ cr: cr as never }, counters, stage => void stages.push(stage));
  const look = (change: { cr0?: number; commands?: number } = {}) => {
    if (change.cr0 !== undefined) cr[0] = change.cr0;
    counters[Counter.commands] += change.commands ?? 0;
    watch.look();
    return stages.splice(0);
  };
  return look;
}

it("follows a boot from disk: boot loader, kernel, userspace", () => {
  const look = rig();
  expect(look()).toEqual([]);
  expect(look({ cr0: 1 })).toEqual([]);
  expect(look({ commands: 1 })).toEqual(["bootloader"]);
  // The boot loader's reads are not the kernel's, also those that were not looked at before it started.
  expect(look({ commands: 40 })).toEqual([]);
  expect(look({ commands: 3, cr0: PAGING | 1 })).toEqual(["kernel"]);
  expect(look({ cr0: 1 })).toEqual([]);
  expect(look({ commands: 1 })).toEqual(["userspace"]);
  expect(look({ commands: 5 })).toEqual([]);
});

it("has no boot loader where a kernel was handed over", () => {
  const look = rig();
  expect(look()).toEqual([]);
  expect(look({ cr0: PAGING | 1 })).toEqual(["kernel"]);
  expect(look()).toEqual([]);
  expect(look({ commands: 2 })).toEqual(["userspace"]);
});
