import { formatMs } from "../../format.ts";
import { count, found, type Lesson, missing } from "../lesson.ts";

const FILE = "/root/lesson.tmp";
const WRITES = 64;

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
        command: `dd if=/dev/zero of=${FILE} bs=4k count=${WRITES} oflag=direct conv=notrunc`,
      },
      highlight: ["commands"],
      check({ grown, result }) {
        const told = `${count(grown.writes, "write")} and ${count(grown.flushes, "flush").replace("flushs", "flushes")}`;
        return result?.exitCode === 0 && grown.writes >= WRITES
          ? found(`${told} in ${formatMs(result.ms)}.`)
          : missing(`${told}: dd should have written ${WRITES} blocks.`);
      },
    },
    {
      text: "The same again, but now dd asks after each block that it be safe. Linux sends a Flush: the answer comes only when all that was written before is on the medium (here: in the browser’s database, with its own disk told to save it).",
      section: "6.8",
      act: {
        kind: "run",
        command: `dd if=/dev/zero of=${FILE} bs=4k count=${WRITES} oflag=direct,dsync conv=notrunc`,
      },
      highlight: ["commands", "inFlight"],
      check({ grown, result }) {
        const told = `${count(grown.writes, "write")} and ${count(grown.flushes, "flush").replace("flushs", "flushes")}`;
        return result?.exitCode === 0 && grown.writes >= WRITES && grown.flushes >= WRITES / 2
          ? found(`${told} in ${formatMs(result.ms)}.`)
          : missing(`${told}: there should have been a flush for each write.`);
      },
    },
  ],
};
