/** The benchmark jobs: what runs in the guest, and how its result is read. The page and the command line share them. */
export interface Job {
  /** As in the table and the JSON: read-1m, write-4k, … */
  readonly name: string;
  readonly title: string;
  /** The command for the guest's shell. */
  readonly command: string;
  readonly unit: "MB/s" | "IOPS";
  /** The figure, in `unit`, out of the command's output. Throws if there is none. */
  parse(output: string): number;
}

/** The raw namespace that is there to be overwritten. */
const SCRATCH = "/dev/nvme0n2";
const MIB = 2 ** 20;

/** dd says "268435456 bytes (268 MB, 256 MiB) copied, 1.2834 s, 209 MB/s". */
function parseDd(output: string): { readonly bytes: number; readonly seconds: number } {
  const match = /(\d+) bytes .*copied, ([\d.e+-]+) s/.exec(output);
  if (!match) throw new Error(`dd printed no rate: ${output}`);
  return { bytes: Number(match[1]), seconds: Number(match[2]) };
}

function dd(direction: "read" | "write", size: "1m" | "4k"): Job {
  const count = size === "1m" ? 256 : 8192;
  const blockBytes = size === "1m" ? MIB : 4096;
  const files =
    direction === "read"
      ? `if=${SCRATCH} of=/dev/null iflag=direct`
      : `if=/dev/zero of=${SCRATCH} oflag=direct`;
  return {
    name: `${direction}-${size}`,
    title: `dd ${size} direct ${direction}`,
    command: `dd ${files} bs=${blockBytes} count=${count}`,
    unit: size === "1m" ? "MB/s" : "IOPS",
    parse(output) {
      const { bytes, seconds } = parseDd(output);
      return size === "1m" ? bytes / 1e6 / seconds : bytes / blockBytes / seconds;
    },
  };
}

/** Writes come first, so that reads find data and not holes. */
export const jobs: readonly Job[] = [
  dd("write", "1m"),
  dd("read", "1m"),
  dd("write", "4k"),
  dd("read", "4k"),
];
