import { count, found, hasIothread, type Lesson, missing } from "../lesson.ts";

export const polling: Lesson = {
  id: "polling",
  title: "Polling against sleeping",
  summary: "Whether to wait for work or to sleep until it comes: what each costs.",
  hindrance(machine) {
    if (machine.settings.serving === "iothread")
      return "In this machine the iothread always sleeps: open the page with ?serving=iothread+poll.";
    return hasIothread(machine);
  },
  steps: [
    {
      text: "The controller’s work is done by a thread, the iothread. With nothing to do it sleeps, and a doorbell has to wake it: slow, but nobody’s time is wasted. Five reads, with pauses.",
      section: "3.1.24",
      act: {
        kind: "run",
        command:
          "for i in 1 2 3 4 5; do dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=250000 iflag=direct 2>/dev/null; sleep 0.3; done",
      },
      highlight: ["iothread", "rung"],
      check({ grown }) {
        const told = `${count(grown.commands, "command")}, and the iothread was woken ${count(grown.iothreadWakeups, "time")}.`;
        return grown.commands >= 5 && grown.iothreadWakeups >= 3 ? found(told) : missing(told);
      },
    },
    {
      text: "One read after the other: the next one comes before it would be worth while to sleep. So the iothread looks for work for a while first. How long it looks adapts itself; whether it pays at all depends on who else needs the CPU, and that is tried out.",
      section: "annex B.5",
      act: {
        kind: "run",
        command: "dd if=/dev/nvme0n1 of=/dev/null bs=4k count=2000 skip=250000 iflag=direct",
      },
      highlight: ["iothread", "elided"],
      check({ grown }) {
        const told =
          `${count(grown.commands, "command")}: the iothread was woken ${count(grown.iothreadWakeups, "time")}, ` +
          `looked for work ${count(grown.polls, "time")} and found it ${count(grown.pollHits, "time")}.`;
        return grown.commands >= 2000 && grown.polls > 0 ? found(told) : missing(told);
      },
    },
  ],
};
