/** The settings in words: a label, names for the choices, and a sentence on what it changes. By parameter name. */
export interface SettingTerm {
  readonly label: string;
  readonly explanation: string;
  /** Choices that need more words than the address has. */
  readonly choices?: Readonly<Record<string, string>>;
}

export const settingTerms: Readonly<Record<string, SettingTerm>> = {
  serving: {
    label: "Serving mode",
    explanation:
      "Which thread serves a doorbell: the virtual CPU in the trapped write, its main loop, or an iothread.",
    choices: {
      mmio: "in the trapped write",
      mainloop: "in the main loop",
      iothread: "iothread",
      "iothread+poll": "iothread, busy waiting",
    },
  },
  shadow: {
    label: "Shadow doorbells",
    explanation:
      "Tails in plain memory in place of register writes: NVMe’s Doorbell Buffer Config (5.7), or Google’s extension of 2015, which today’s Linux does not use.",
    choices: { dbbuf: "Doorbell Buffer Config", google: "Google, 2015" },
  },
  interrupts: {
    label: "Interrupts",
    explanation: "By the shared pin, or by a message for each queue (7.5).",
    choices: { intx: "pin (INTx)", msix: "messages (MSI-X)" },
  },
  pollMaxUs: {
    label: "The iothread polls for",
    explanation: "Longest busy wait before it sleeps; 0 sleeps at once. It adapts below that.",
  },
  haltPollMaxUs: {
    label: "The halted CPU polls for",
    explanation: "Longest busy wait for a completion while the guest has nothing to do.",
  },
  scratch: {
    label: "Scratch disk on",
    explanation:
      "The device to race against. The system disk is always NVMe; IDE is in memory and empty at each boot.",
    choices: { nvme: "NVMe", ide: "IDE" },
  },
  memory: { label: "Memory", explanation: "Guest RAM; all of it is memory of this tab." },
  boot: {
    label: "Boot",
    explanation:
      "The shipped kernel, or what the firmware finds on the NVMe disk: a boot loader, and what that loads.",
    choices: { kernel: "shipped kernel", disk: "from the disk" },
  },
  start: {
    label: "Start",
    explanation:
      "Opening the page goes on where the machine was switched off with a snapshot, or, as long as nothing was written to its disks, from the shipped snapshot of one that has just booted; or it always boots.",
    choices: { boot: "always boot", snapshot: "go on from a snapshot" },
  },
  disks: {
    label: "Disks",
    explanation: "Read-only works on a copy in memory, which is dropped in the end.",
    choices: {
      own: "this browser’s",
      takeover: "this browser’s, taken from another tab",
      readonly: "a read-only copy",
    },
  },
  network: {
    label: "Network",
    explanation:
      "Empty for none. A network card whose other end is a relay: wss:// (Ethernet frames) or wisps:// (connections; v86 asks a public server for names), or “fetch” (HTTP only, by this browser, where the other site allows it). Whoever runs the relay sees and can change what goes through it, and gets your address.",
  },
  kernel: {
    label: "Kernel arguments",
    explanation: "Appended to the command line, e.g. nvme.poll_queues=1.",
  },
};
