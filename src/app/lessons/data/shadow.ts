import { TraceKind } from "../../../trace/trace_ring.ts";
import { count, found, hasIothread, type Lesson, missing } from "../lesson.ts";

export const shadow: Lesson = {
  id: "shadow",
  title: "Shadow doorbells and EventIdx",
  summary: "A register write is expensive in a virtual machine: how most of them are saved.",
  hindrance(machine) {
    if (machine.settings.shadowDoorbells !== "dbbuf")
      return "Shadow doorbells are off in this machine: open the page with ?shadow=dbbuf.";
    return hasIothread(machine);
  },
  steps: [
    {
      text: "The driver writes each tail to a page of memory, the shadow doorbell buffer. It rings the register only if the tail passes EventIdx, where the controller says “wake me there”. A controller that sleeps has set it to the next entry: so one read after a pause needs a doorbell.",
      section: "5.7, annex B.5",
      act: {
        kind: "run",
        command: "sleep 0.5; dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=250000 iflag=direct",
      },
      highlight: ["sqShadow", "sqEventIdx", "rung"],
      check({ grown, records }) {
        const rung = records.find(({ kind, a }) => kind === TraceKind.tailRung && a > 0);
        return rung && grown.doorbellsRung > 0
          ? found(`The register was written with tail ${rung.b}: the controller was asleep.`)
          : missing("No doorbell was rung.");
      },
    },
    {
      text: "Now 16 reads are under way at any time, and the controller is awake. It finds new tails in memory by itself and leaves EventIdx behind: the driver need not ring.",
      section: "5.7, annex B.5",
      act: {
        kind: "run",
        command:
          "fio --name=r --filename=/dev/nvme0n1 --readonly --rw=randread --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --offset=900m --size=8m --thread --minimal",
      },
      highlight: ["elided", "rung", "sqEventIdx"],
      check({ grown }) {
        const { commands, doorbellsRung, doorbellsElided } = grown;
        const told = `${count(commands, "command")}: ${doorbellsRung} doorbells rung, ${doorbellsElided} tails found in memory`;
        if (commands < 2000) return missing(`${told}: fewer reads than there should be.`);
        return doorbellsElided > 0 && doorbellsRung < commands ? found(`${told}.`) : missing(`${told}.`);
      },
    },
  ],
};
