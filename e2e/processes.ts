/** What Linux tells of the processes of a browser that we have started. */
import { readdirSync, readFileSync } from "node:fs";

/** The processes whose command line contains the text: the browser's main process, by its profile's path. */
export function processesNaming(text: string): number[] {
  return processes().filter(pid => read(`/proc/${pid}/cmdline`).includes(text));
}

/** … and all that descend from them: renderers are grandchildren that do not name the profile. */
export function withDescendants(pids: readonly number[]): number[] {
  const family = new Set(pids);
  const parents = processes().map(pid => [pid, Number(stat(`/proc/${pid}`).fields[1])] as const);
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** SIGKILL: nothing gets the chance to tidy up. */
export function killProcesses(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Its parent's death was faster.
    }
  }
}

/** CPU time of each of its threads so far, in milliseconds, by "pid/tid name". */
export function threadTimes(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const { name, fields } = stat(`/proc/${pid}/task/${tid}`);
    // utime and stime, in ticks of 10 ms.
    times.set(`${pid}/${tid} ${name}`, (Number(fields[11]) + Number(fields[12])) * 10);
  }
  return times;
}

export interface ProcessMemory {
  readonly pid: number;
  /** Chromium's word for the process: "renderer", "utility", …, "browser" for the main one. */
  readonly type: string;
  /** VmHWM: the most that was resident at a time, shared pages included. */
  readonly bytes: number;
}

export function peakMemoryOf(pid: number): ProcessMemory {
  const [, type = "browser"] = /--type=([\w-]+)/.exec(read(`/proc/${pid}/cmdline`)) ?? [];
  const [, kib = "0"] = /^VmHWM:\s*(\d+) kB$/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return { pid, type, bytes: Number(kib) * 1024 };
}

const processes = (): number[] =>
  readdirSync("/proc")
    .filter(name => /^\d+$/.test(name))
    .map(Number);

/** Name and the fields behind it of a process's or thread's stat file; empty for one that is gone. */
function stat(path: string): { readonly name: string; readonly fields: readonly string[] } {
  const text = read(`${path}/stat`);
  const end = text.lastIndexOf(")");
  return { name: text.slice(text.indexOf("(") + 1, end), fields: text.slice(end + 2).split(" ") };
}

/** Empty for a process that is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
