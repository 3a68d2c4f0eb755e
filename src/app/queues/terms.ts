/** One sentence for each field of the queue view, with where NVMe 1.4 has it. */
export const queueTerms = {
  sq: "Submission queue: a ring in guest memory into which the driver writes commands of 64 bytes. (4.1)",
  cq: "Completion queue: a ring in guest memory into which the controller writes answers of 16 bytes. (4.1)",
  entries: "How many entries the ring has; one always stays free, so that full and empty differ. (4.1.1)",
  sqHead:
    "Head of the submission queue: the next command that the controller fetches. It tells the driver in each completion. (4.1)",
  sqTail:
    "Tail of the submission queue: where the driver writes its next command. From head to tail commands wait. (4.1, 3.1.24)",
  sqShadow:
    "Shadow tail: the tail that the driver has written to plain memory instead of the doorbell register, which costs no exit. (5.7)",
  sqEventIdx:
    "EventIdx of the tail: the controller asks to be rung when the tail passes this; an awake iothread leaves it behind. (annex B.5)",
  inFlight: "Commands that the controller has fetched and not yet answered.",
  cqHead:
    "Head of the completion queue: the next answer that the driver reads, as far as it has told the controller. (4.1, 3.1.25)",
  cqTail: "Tail of the completion queue: where the controller writes its next answer. (4.1)",
  cqShadow: "Shadow head: the head that the driver has written to memory instead of the register. (5.7)",
  cqEventIdx:
    "EventIdx of the head: the driver rings when its head passes this. With message interrupts nobody needs it. (annex B.5)",
  phase:
    "Phase tag of the next answer. It flips with each lap, and so tells the driver which answers are new. (4.6.1)",
  waiting: "Answers that wait because the completion queue is full.",
  rung: "Doorbell registers written for a submission queue. Each is an exit of the virtual CPU. (3.1.24)",
  elided:
    "Times the iothread found new commands by the shadow tail, so that no doorbell had to be rung. (5.7)",
  swept: "Doorbells that would have been lost, and that the virtual CPU’s own sweep saved.",
  commands: "I/O commands completed since the boot.",
  interrupts: "Interrupts raised since the boot; one may tell of many answers. (7.5)",
  exits: "Reads and writes of the controller’s registers: each leaves the guest’s compiled code.",
  iothread:
    "What the iothread did in the last four seconds: busy with commands, polling for more, or asleep until a doorbell wakes it.",
} as const;

export type QueueTerm = keyof typeof queueTerms;
