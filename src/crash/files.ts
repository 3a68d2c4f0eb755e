/** The workload on ext4: files that are replaced by renaming, and a log that is appended to. */
import { createHash } from "node:crypto";
import { blockContent } from "./content.ts";
import type { Random } from "./random.ts";
import type { Violation } from "./raw_disk.ts";

/** Where the files are in the guest, on its system disk. */
export const DIRECTORY = "/root/crash";
const FILES = 8;
const LOG = "log";

/** One command line for the guest, and what is known once it has succeeded. */
export interface FileStep {
  readonly command: string;
  readonly target: number | typeof LOG;
  readonly version: number;
}

/** Shell functions for the guest. Each fails if anything in it does. */
export const FILE_FUNCTIONS = `F=${DIRECTORY}
replace() { gen $1 $2 $3 >$F/f$1.new && sync $F/f$1.new && mv $F/f$1.new $F/f$1 && sync $F; }
append() { echo "entry $1" >>$F/${LOG} && sync $F/${LOG}; }`;

/** Between the log and the sums in what READ_FILES prints. */
const SEPARATOR = "\n--- files\n";
/** Reads back what check() compares: the log, and an MD5 sum for each file. */
export const READ_FILES = `cd ${DIRECTORY} && { cat ${LOG}; printf '${SEPARATOR.replaceAll("\n", "\\n")}'; for f in f?; do [ ! -f $f ] || echo $f; done | xargs -r md5sum; cd; }`;
/** Run once, on the first boot. */
export const PREPARE_FILES = `mkdir -p ${DIRECTORY} && touch ${DIRECTORY}/${LOG} && sync`;

interface Version {
  readonly version: number;
  /** MD5 of the whole file. */
  readonly md5: string;
}

/** Knows of each file which contents a crash may leave. */
export class Files {
  /** Contents of each file since the last one that is known to be durable, which comes first. */
  readonly #versions: (Version | undefined)[][] = Array.from({ length: FILES }, () => [undefined]);
  #lastVersion = 0;
  /** Entries of the log that are durable, and that may be there. */
  #logged = 0;
  #begun = 0;

  /** Makes up the next step, and takes it as begun. */
  nextStep(random: Random): FileStep {
    if (random.chance(0.4)) {
      this.#begun += 1;
      return { command: `append ${this.#begun}`, target: LOG, version: this.#begun };
    }
    this.#lastVersion += 1;
    const version = this.#lastVersion;
    const file = random.integer(0, FILES - 1);
    const blocks = random.integer(1, random.chance(0.8) ? 4 : 32);
    const md5 = createHash("md5");
    for (let block = 0; block < blocks; block++) md5.update(blockContent(file + block, version));
    this.#versions[file].push({ version, md5: md5.digest("hex") });
    return { command: `replace ${file} ${blocks} ${version}`, target: file, version };
  }

  /** The guest has said that the step's command has succeeded. */
  acknowledged({ target, version }: FileStep): void {
    if (target === LOG) this.#logged = version;
    else this.#versions[target] = this.#versions[target].filter(v => v && v.version >= version);
  }

  /** The guest's command that cuts off what check() found behind the last whole entry; undefined if there was nothing. */
  tidy: string | undefined;

  /** Compares what READ_FILES printed after a crash with what may be there. */
  check(output: string): Violation[] {
    const end = output.lastIndexOf(SEPARATOR);
    if (end < 0) throw new Error(`The files could not be read: ${output}`);
    const log = output.slice(0, end);
    const sums = new Map(
      output
        .slice(end + SEPARATOR.length)
        .split("\n")
        .filter(line => line !== "")
        .map(line => [line.slice(34), line.slice(0, 32)] as const),
    );
    return [
      ...this.#checkLog(log),
      ...this.#versions.flatMap((_, file) => this.#checkFile(file, sums.get(`f${file}`))),
    ];
  }

  /** An entry whose fsync was not acknowledged may be there, or missing, or begun: a file can grow before its data. */
  #checkLog(log: string): Violation[] {
    const lines = log === "" ? [] : log.replace(/\n$/, "").split("\n");
    const wrong = lines.findIndex((line, i) => line !== `entry ${i + 1}`);
    const whole = wrong === -1 ? lines.length : wrong;
    const file = `${DIRECTORY}/${LOG}`;
    this.tidy =
      wrong === -1
        ? undefined
        : `head -n ${whole} ${file} >${file}.new && sync ${file}.new && mv ${file}.new ${file} && sync ${DIRECTORY}`;
    if (whole >= this.#logged && lines.length <= this.#begun) {
      this.#logged = whole;
      this.#begun = whole;
      return [];
    }
    const found =
      wrong === -1
        ? `${lines.length} entries`
        : `${wrong} entries, then ${JSON.stringify(lines[wrong]?.slice(0, 40))}`;
    return [
      {
        where: file,
        found,
        allowed: `entries 1 to ${this.#logged}, and perhaps up to ${this.#begun}`,
      },
    ];
  }

  #checkFile(file: number, md5: string | undefined): Violation[] {
    const allowed = this.#versions[file];
    const found = allowed.find(version => version?.md5 === md5);
    if (found !== undefined || (md5 === undefined && allowed.includes(undefined))) {
      this.#versions[file] = [found];
      return [];
    }
    const name = (version: Version | undefined) => (version ? `version ${version.version}` : "none");
    return [
      {
        where: `${DIRECTORY}/f${file}`,
        found: md5 === undefined ? "no such file" : `other content (MD5 ${md5})`,
        allowed: allowed.map(name).join(" or "),
      },
    ];
  }
}
