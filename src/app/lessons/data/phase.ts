import { TraceKind } from "../../../trace/trace_ring.ts";
import { count, found, type Lesson, missing } from "../lesson.ts";

export const phase: Lesson = {
  id: "phase",
  title: "The phase tag",
  summary: "How the driver knows which answers are new, without asking the controller.",
  steps: [
    {
      text: "Each answer has one bit, the phase tag. The controller writes the same value for a whole lap of the ring; what is left of the lap before has the other value. Here is one read.",
      section: "4.6.1",
      act: {
        kind: "run",
        command: "dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=250000 iflag=direct",
      },
      highlight: ["phase", "cqTail"],
      check({ records, queues }) {
        const posted = records.findLast(({ kind, a }) => kind === TraceKind.posted && a === 1);
        const words = posted && queues?.cqe(1, posted.b);
        if (!posted || !words) return missing("No answer was posted to completion queue 1.");
        return found(`Entry ${posted.b} was written with phase ${(words[3] >>> 16) & 1}.`);
      },
    },
    {
      text: "This ring has 1024 entries. So many reads that it comes round: behind the last entry the controller goes on at entry 0, and flips the phase. The driver reads on until it meets an entry with the old phase: that one is not new.",
      section: "4.6.1",
      act: {
        kind: "run",
        command: "dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1030 skip=250000 iflag=direct",
      },
      highlight: ["phase", "cqTail", "commands"],
      check({ before, now, grown }) {
        if (!before || !now) return missing("The completion queue is not known yet.");
        const laps = Math.floor((before.cqTail + grown.commands) / before.entries);
        const told = `${count(grown.commands, "answer")}, tail ${before.cqTail} → ${now.cqTail}`;
        if (laps === 0) return missing(`${told}: the ring has not come round.`);
        if (
          now.phase === undefined ||
          before.phase === undefined ||
          now.cqTail !== (before.cqTail + grown.commands) % now.entries
        )
          return missing(`${told}: not all is settled.`);
        return now.phase === (before.phase ^ (laps & 1))
          ? found(`${told}: the phase went from ${before.phase} to ${now.phase} in ${count(laps, "lap")}.`)
          : missing(`${told}: the phase is ${now.phase}, which is not as it should be.`);
      },
    },
  ],
};
