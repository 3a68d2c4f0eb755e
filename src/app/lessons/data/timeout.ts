import { TraceKind } from "../../../trace/trace_ring.ts";
import { formatSeconds } from "../../format.ts";
import { found, type Lesson, missing } from "../lesson.ts";

const TIMEOUT = "/sys/block/nvme0n1/queue/io_timeout";
/** In blocks of 4 KiB, and the same in logical blocks: near the end of the system disk. */
const BLOCK = 250_000;
const LBA = (BLOCK * 4096) / 512;

export const timeout: Lesson = {
  id: "timeout",
  title: "A timeout and its recovery",
  summary: "The controller loses a command on purpose. How Linux notices, and what it does.",
  hindrance: ({ rescue }) =>
    rescue ? "This lesson needs the system on its disk, not the rescue shell." : undefined,
  cleanUp: `[ -n "$LESSON_TIMEOUT" ] && echo $LESSON_TIMEOUT > ${TIMEOUT}; unset LESSON_TIMEOUT`,
  steps: [
    {
      text: "Linux gives each command a time. It is 30 s, which is long to wait: for this lesson it is 2 s. (Leaving the lesson puts it back.)",
      act: {
        kind: "run",
        command: `: \${LESSON_TIMEOUT:=$(cat ${TIMEOUT})}; echo 2000 > ${TIMEOUT}; cat ${TIMEOUT}`,
      },
      highlight: [],
      check: ({ result }) =>
        result?.exitCode === 0 && result.output.trim() === "2000"
          ? found("A command may take 2000 ms now.")
          : missing(`Linux did not take it: ${result?.output.trim() ?? ""}`),
    },
    {
      text: "A read is served, but its answer is never posted (an injected fault). After its time Linux asks the controller to abort the command; when that does not help, it resets the controller, makes the queues anew, and sends the read again. This takes about 4 s.",
      section: "5.1, 7.3.2",
      act: {
        kind: "run",
        fault: { action: "drop", command: "read", nsid: 1, lba: [LBA, LBA], count: 1 },
        command:
          "LESSON_LINES=$(dmesg | wc -l); dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 " +
          `skip=${BLOCK} iflag=direct 2>/dev/null; LESSON_EXIT=$?; ` +
          "dmesg | tail -n +$((LESSON_LINES + 1)) | grep nvme; [ $LESSON_EXIT = 0 ]",
      },
      highlight: ["sqHead", "sqTail", "inFlight"],
      check({ result, records, grown }) {
        const dropped = records.some(({ kind }) => kind === TraceKind.fault) || grown.faults > 0;
        if (!dropped) return missing("The fault has hit no command.");
        if (!result || !/timeout, reset controller|timeout, disable controller/.test(result.output))
          return missing(`Linux has not reset the controller: ${result?.output.trim() || "it said nothing"}`);
        return result.exitCode === 0
          ? found(`Timeout, reset, and then dd got its data: ${formatSeconds(result.ms)} in all.`)
          : missing("dd did not get its data.");
      },
    },
    {
      text: "The queues are new ones, their heads and tails began at 0 again. The same read once more: nothing is wrong any more, and no data was lost.",
      section: "7.6.1",
      act: {
        kind: "run",
        command: `dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=${BLOCK} iflag=direct`,
      },
      highlight: ["sqHead", "sqTail", "commands"],
      check: ({ result, grown }) =>
        result?.exitCode === 0 && grown.reads > 0 && grown.errors === 0 && grown.faults === 0
          ? found("The read was answered without an error.")
          : missing("The read was not answered as it should be."),
    },
  ],
};
