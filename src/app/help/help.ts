/** "What am I looking at?" */
import { openDialog } from "../controls/dialog.ts";
import { element, setText } from "../dom.ts";
import type { OfflineStatus } from "../offline/offline.ts";
import { terms } from "../status/terms.ts";
import type { TerminalView } from "../terminal/terminal.ts";

const commands: readonly { readonly command: string; readonly shows: string }[] = [
  { command: "nvme list", shows: "the SSD’s disks, as the NVMe tools see them" },
  {
    command: "dd if=/dev/nvme0n1 of=/dev/null bs=1M count=64 iflag=direct",
    shows: "few large commands: watch MB/s",
  },
  {
    command: "dd if=/dev/nvme0n1 of=/dev/null bs=4k count=8192 iflag=direct",
    shows: "many small commands: watch the doorbells",
  },
  {
    command: "date >> /root/visits; sync; cat /root/visits",
    shows: "a file that is still there after a reload",
  },
];

const figures: readonly (readonly [string, keyof typeof terms])[] = [
  ["Read", "read"],
  ["Write", "write"],
  ["Doorbells rung", "rung"],
  ["elided", "elided"],
  ["swept", "swept"],
  ["Interrupts", "interrupts"],
  ["iothread", "iothread"],
  ["Poll µs", "pollTime"],
  ["Flush", "flush"],
  ["system, scratch", "disk"],
  ["storage", "storage"],
];

/** Opens the help. `offline` is what became of keeping the page in the browser. */
export function openHelp(terminal: TerminalView, offline: Promise<OfflineStatus>): void {
  const kept = element("p", { class: "explanation" }, "This page is being saved in your browser…");
  void offline.then(({ detail }) => setText(kept, detail));
  const close = element("button", { value: "close", autofocus: true }, "Close");
  const dialog = openDialog("What am I looking at?", [
    element(
      "p",
      {},
      "A whole PC runs in this tab: the v86 emulator boots an unmodified Linux kernel, and its disk is an emulated NVMe SSD whose contents live in your browser’s IndexedDB. Nothing leaves your browser.",
    ),
    element(
      "p",
      {},
      "Linux puts commands into a queue in its memory and then rings a doorbell, a register of the SSD, to say that there is work; the SSD answers through a second queue and an interrupt. Each ring interrupts the virtual CPU, which is slow: with shadow doorbells Linux writes the queue’s new tail into plain memory instead, and rings only when nobody is looking.",
    ),
    element(
      "p",
      {},
      "The one who looks is the iothread, a second worker that shares the guest’s memory: it serves the commands, polls a little for more, and sleeps when none come. The line below the terminal counts the doorbells that were rung and those that were spared.",
    ),
    element(
      "p",
      {},
      "“Views” shows all this as it happens. Its other tabs have six lessons to begin with, where the time of each command goes, a benchmark, faults to inject, and what the next boot takes.",
    ),
    element(
      "p",
      {},
      "The page puts the kernel into the PC’s memory, which is fast. ",
      element("a", { href: "?boot=disk" }, "Boot from the disk"),
      " instead, as a PC of one’s own does: firmware, boot loader and kernel then come to the terminal one after the other.",
    ),
    element(
      "p",
      {},
      "A trace that was saved in the Timing tab can be ",
      element("a", { href: "?trace" }, "looked at without a machine"),
      ".",
    ),
    element("h3", {}, "Try"),
    element("ul", { class: "commands" }, ...commands.map(({ command, shows }) => commandRow(command, shows))),
    element(
      "details",
      {},
      element("summary", {}, "The figures below the terminal"),
      element(
        "dl",
        { class: "glossary" },
        ...figures.flatMap(([label, term]) => [element("dt", {}, label), element("dd", {}, terms[term])]),
      ),
    ),
    element("h3", {}, "Keyboard"),
    element(
      "p",
      {},
      key("F6"),
      " moves between the terminal and the buttons. ",
      key("Ctrl+Shift+C"),
      " copies, ",
      key("Ctrl+Shift+V"),
      " pastes.",
    ),
    screenReaderChoice(terminal),
    kept,
    element(
      "p",
      { class: "explanation" },
      "More, with the source: README.md in Doorbell’s repository. ",
      element("a", { href: "licences.txt" }, "Licences of all that this page ships"),
      ", with where the source of the guest’s Linux is.",
    ),
    element("div", { class: "buttons" }, close),
  ]);
  dialog.classList.add("help");

  function commandRow(command: string, shows: string): HTMLElement {
    const run = element("button", { type: "button", "aria-label": `Run ${command}` }, "Run");
    run.addEventListener("click", () => {
      dialog.close();
      terminal.run(command);
      terminal.focus();
    });
    return element(
      "li",
      {},
      run,
      element("span", {}, element("code", {}, command), element("span", { class: "explanation" }, shows)),
    );
  }
}

function screenReaderChoice(terminal: TerminalView): HTMLElement {
  const box = element("input", { type: "checkbox", checked: terminal.screenReaderMode });
  box.addEventListener("change", () => {
    terminal.screenReaderMode = box.checked;
  });
  return element(
    "label",
    { class: "choice" },
    box,
    element("span", {}, "Screen reader support in the terminal"),
  );
}

function key(name: string): HTMLElement {
  return element("kbd", {}, name);
}
