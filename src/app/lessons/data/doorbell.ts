import { commandName } from "../../../devices/nvme/spec/decode.ts";
import { TraceKind } from "../../../trace/trace_ring.ts";
import { found, type Lesson, missing } from "../lesson.ts";

const READ = "dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=250000 iflag=direct";

export const doorbell: Lesson = {
  id: "doorbell",
  title: "What a doorbell is",
  summary: "Follow one read from the driver to the controller and back, one step at a time.",
  steps: [
    {
      text: "The driver puts a command of 64 bytes into a ring in memory, the submission queue. Then it tells the controller how far the ring is filled: it rings the doorbell, or writes the same number to memory where the controller looks. The machine pauses there.",
      section: "4.1, 3.1.24",
      act: { kind: "step", step: "doorbell", start: READ },
      highlight: ["sqTail", "rung"],
      check({ records }) {
        const rung = records.find(({ kind, a }) => kind === TraceKind.tailRung && a > 0);
        if (rung) return found(`The tail doorbell of queue ${rung.a} was rung: its tail is ${rung.b} now.`);
        const seen = records.find(({ kind }) => kind === TraceKind.shadowSeen);
        return seen
          ? found(`Tail ${seen.b} of queue ${seen.a} was found in memory: the controller was awake.`)
          : missing("No doorbell of an I/O queue was seen.");
      },
    },
    {
      text: "Nothing has moved yet: the command lies in the ring, between head and tail. Now the controller fetches it, and the head moves on. (Linux may have had a command of its own to send first: what is found says which it is.)",
      section: "4.1",
      act: { kind: "step", step: "fetch" },
      highlight: ["sqHead", "inFlight"],
      check({ records }) {
        const fetched = records.find(({ kind }) => kind === TraceKind.fetched);
        return fetched
          ? found(
              `Entry ${fetched.b} of queue ${fetched.a} was fetched: ${commandName(fetched.a, fetched.c & 0xff)}.`,
            )
          : missing("No command was fetched.");
      },
    },
    {
      text: "The controller moves the data straight into the guest’s memory, and then writes its answer of 16 bytes into the completion queue.",
      section: "4.6",
      act: { kind: "step", step: "completion" },
      highlight: ["cqTail"],
      check({ records }) {
        const posted = records.find(({ kind }) => kind === TraceKind.posted);
        return posted
          ? found(`The answer is entry ${posted.b} of completion queue ${posted.a}.`)
          : missing("No answer was posted.");
      },
    },
    {
      text: "An interrupt tells the driver to look. It reads the answer, and dd gets its 4096 bytes. The guest’s clock stood still meanwhile, so dd believes that all this was quick.",
      section: "7.5",
      act: { kind: "finish" },
      highlight: ["cqHead", "interrupts"],
      check({ result }) {
        if (!result) return missing("dd was not started.");
        const said = result.output.trim().split("\n").at(-1) ?? "";
        return result.exitCode === 0 ? found(`dd has ended: ${said}`) : missing(`dd has failed: ${said}`);
      },
    },
  ],
};
