import { formatMs } from "../../format.ts";
import { count, found, type Lesson, missing } from "../lesson.ts";

const FILE = "/root/lesson.tmp";
const WRITES = 12;
/** Each by a dd of its own: one dd that is told to be sure would send no Flush, but writes with FUA. */
const writeWith = (how: string): string =>
  `for i in $(seq ${WRITES}); do dd if=/dev/zero of=${FILE} bs=4k count=1 seek=$i oflag=direct conv=${how} 2>/dev/null; done`;

export const flush: Lesson = {
  id: "flush",
  title: "What a flush costs",
  summary: "A write is answered before it is safe. Being sure takes a Flush, and time.",
  hindrance: ({ rescue }) =>
    rescue ? "This lesson writes a file: it needs the system, not the rescue shell." : undefined,
  cleanUp: `rm -f ${FILE}`,
  steps: [
    {
      text: "The SSD has a volatile write cache: a write is answered when its data is in there. It is not safe yet from a power cut (here: from a browser that is killed).",
      section: "6.15, 5.21.1.6",
      act: {
        kind: "run",
        command: writeWith("notrunc"),
      },
      highlight: ["commands"],
      check({ grown, result }) {
        const told = `${count(grown.writes, "write")} and ${count(grown.flushes, "flush", "flushes")}`;
        return result?.exitCode === 0 && grown.writes >= WRITES
          ? found(`${told} in ${formatMs(result.ms)}.`)
          : missing(`${told}: dd should have written ${WRITES} blocks.`);
      },
    },
    {
      text: "The same again, but after each block dd asks that it be safe (fsync). Linux sends a Flush: the answer comes only when all that was written before is on the medium (here: in the browser’s database, with its own disk told to save it).",
      section: "6.8",
      act: {
        kind: "run",
        command: writeWith("notrunc,fsync"),
      },
      highlight: ["commands", "inFlight"],
      check({ grown, result }) {
        const told = `${count(grown.writes, "write")} and ${count(grown.flushes, "flush", "flushes")}`;
        return result?.exitCode === 0 && grown.writes >= WRITES && grown.flushes >= WRITES / 2
          ? found(`${told} in ${formatMs(result.ms)}.`)
          : missing(`${told}: there should have been a flush for each write.`);
      },
    },
  ],
};
