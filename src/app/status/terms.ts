/** One sentence for each figure of the status line: its tooltip, and an entry in the help. */

export const terms = {
  state: "What the machine does: booting, resuming (from a snapshot), running, stopped or failed.",
  read: "Data that the guest read from its NVMe disks in the last half second, per second, and how many read commands that took.",
  write:
    "Data that the guest wrote to its NVMe disks in the last half second, per second, and how many write commands that took.",
  rung: "Doorbells rung: writes to a queue’s doorbell register, each of which interrupts the virtual CPU.",
  elided:
    "Doorbells elided: commands that the iothread found through the shadow doorbell, so that none had to be rung.",
  swept:
    "Doorbells swept: commands that only the virtual CPU’s own sweep found; without it each would have been lost.",
  interrupts: "Interrupts that the disk raised per second to say that commands have completed.",
  iothread:
    "What the thread that serves the disk does: busy with commands, polling for more, or sleeping until a doorbell wakes it.",
  pollTime:
    "How long the iothread now polls before it sleeps; it grows when polling pays and shrinks when it does not.",
  flush: "Writes on their way into the browser’s storage because the guest asked for a flush.",
  disk: "Space that the disk takes up in the browser’s storage, of the size that the guest sees, and what would be lost if the tab died now.",
  storage:
    "What this site takes of the browser’s storage, of what the browser lets it take, and whether the browser keeps it when the computer runs low on space.",
} as const;

export type Term = keyof typeof terms;
