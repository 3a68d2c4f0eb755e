/**
 * The benchmark jobs: what runs in the guest, and how its result is read. The page and the command line share them, so
 * nothing here is of Node.
 */
export interface Job {
  /** As in the JSON: read-1m, write-4k, randread-4k-qd16, … */
  readonly name: string;
  /** For the head of a column. */
  readonly title: string;
  readonly unit: "MB/s" | "IOPS";
  /** Whether it overwrites the disk. */
  readonly writes: boolean;
  /** The command for the guest's shell; `device` is the disk that it reads or overwrites. One run. */
  command(device: string): string;
  /** The figure, in `unit`, out of the command's output. Throws if there is none. */
  parse(output: string): number;
}

const MIB = 2 ** 20;

/** One pass of dd from the start of the device, O_DIRECT, so always one request at a time. */
export function ddJob(direction: "read" | "write", size: "1m" | "4k", count: number): Job {
  const blockBytes = size === "1m" ? MIB : 4096;
  return {
    name: `${direction}-${size}`,
    title: `${direction} ${size === "1m" ? "1M" : "4k"}`,
    unit: size === "1m" ? "MB/s" : "IOPS",
    writes: direction === "write",
    command(device) {
      const files =
        direction === "read"
          ? `if=${device} of=/dev/null iflag=direct`
          : `if=/dev/zero of=${device} oflag=direct`;
      return `dd ${files} bs=${blockBytes} count=${count}`;
    },
    parse(output) {
      const { bytes, seconds } = parseDd(output);
      return size === "1m" ? bytes / 1e6 / seconds : bytes / blockBytes / seconds;
    },
  };
}

/**
 * The same through the guest's page cache, in MB/s: a read begins with the cache dropped, and what a write takes includes
 * the flush at its end.
 */
export function bufferedDdJob(direction: "read" | "write", size: "1m" | "4k", count: number): Job {
  const direct = ddJob(direction, size, count);
  return {
    ...direct,
    name: `${direct.name}-buffered`,
    title: `${direct.title} buffered`,
    unit: "MB/s",
    command(device) {
      const command = direct.command(device);
      return direction === "read"
        ? `echo 3 > /proc/sys/vm/drop_caches; ${command.replace(" iflag=direct", "")}`
        : command.replace("oflag=direct", "conv=fdatasync");
    },
    parse(output) {
      const { bytes, seconds } = parseDd(output);
      return bytes / 1e6 / seconds;
    },
  };
}

/** dd says "268435456 bytes (268 MB, 256 MiB) copied, 1.2834 s, 209 MB/s". */
function parseDd(output: string): { readonly bytes: number; readonly seconds: number } {
  const match = /(\d+) bytes .*copied, ([\d.e+-]+) s/.exec(output);
  if (!match) throw new Error(`dd printed no rate: ${output}`);
  return { bytes: Number(match[1]), seconds: Number(match[2]) };
}

/** fio reads random 4 KiB blocks of the first `mebibytes` of the device for a time, `depth` of them at once. */
export function randomReadJob(depth: number, mebibytes: number, milliseconds: number): Job {
  return {
    name: `randread-4k-qd${depth}`,
    title: `rand 4k qd${depth}`,
    unit: "IOPS",
    writes: false,
    // A thread, and few looks at the clock: fio itself is much of the work on a slow CPU.
    command: device =>
      `fio --name=randread --filename=${device} --rw=randread --bs=4k --direct=1 --ioengine=libaio ` +
      `--iodepth=${depth} --thread --gtod_reduce=1 --norandommap --disk_util=0 --size=${mebibytes}m ` +
      `--time_based --runtime=${milliseconds}ms --output-format=terse --terse-version=3`,
    parse: parseFio,
  };
}

/** A line of fio's terse format, version 3: version; fio; name; group; error; KiB read; KiB/s; IOPS; ms; … */
function parseFio(output: string): number {
  const line = output.split("\n").find(text => text.startsWith("3;fio-"));
  const fields = line?.split(";") ?? [];
  const [error, kibibytes, , , milliseconds] = fields.slice(4).map(Number);
  if (error !== 0 || !(kibibytes > 0) || !(milliseconds > 0))
    throw new Error(`fio printed no rate: ${output}`);
  return kibibytes / 4 / (milliseconds / 1000);
}

/** How much of each job a run is. */
export interface JobSizes {
  /** Requests of one dd. */
  readonly count1m: number;
  readonly count4k: number;
  /** Queue depths of fio. */
  readonly depths: readonly number[];
  readonly fioMilliseconds: number;
}

export const fullSizes: JobSizes = {
  count1m: 256,
  count4k: 8192,
  depths: [1, 4, 16, 32],
  fioMilliseconds: 300,
};
/** Without fio, which takes seconds of its own until it is warm. */
export const quickSizes: JobSizes = { count1m: 128, count4k: 2048, depths: [], fioMilliseconds: 0 };

/**
 * All jobs. Writes come first, so that reads find data and not holes; the random reads stay where 1 MiB writes were.
 * The first one is what most of the guest's code is warmed up with.
 */
export function makeJobs(sizes: JobSizes): readonly Job[] {
  return [
    ddJob("write", "4k", sizes.count4k),
    ddJob("write", "1m", sizes.count1m),
    ddJob("read", "1m", sizes.count1m),
    ddJob("read", "4k", sizes.count4k),
    ...sizes.depths.map(depth => randomReadJob(depth, 32, sizes.fioMilliseconds)),
  ];
}

/** Those, the buffered ones, and fio also where a run of all rows has no time for it: what a person may choose from. */
export function allJobs(sizes: JobSizes): readonly Job[] {
  const { depths, fioMilliseconds } = fullSizes;
  const direct = makeJobs({ ...sizes, depths, fioMilliseconds });
  const buffered = (["write", "read"] as const).map(direction =>
    (["1m", "4k"] as const).map(size =>
      bufferedDdJob(direction, size, size === "1m" ? sizes.count1m : sizes.count4k),
    ),
  );
  const writes = direct.filter(job => job.writes);
  const reads = direct.filter(job => !job.writes);
  return [...writes, ...buffered[0], ...reads, ...buffered[1]];
}
