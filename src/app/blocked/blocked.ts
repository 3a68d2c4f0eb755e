/** In place of the terminal when another tab has the disks: who has them, and what can be done. */
import type { Blockade, DiskOwner, Machine } from "../../machine/api.ts";
import type { Actions } from "../controls/actions.ts";
import { type Dispose, element } from "../dom.ts";

/** The other tab may be closed meanwhile. */
const lookMs = 2000;

const headings: Record<Blockade["reason"], string> = {
  "in-use": "Another tab has this machine’s disks",
  "taken-over": "Another tab has taken this machine over",
  refused: "The other tab keeps the disks",
  "too-large": "The disks are too large for a copy in memory",
};

interface Choice {
  readonly label: string;
  readonly explanation: string;
  readonly run: () => Promise<void>;
  readonly danger?: boolean;
}

/** Mounts the panel; it shows itself while the machine is blocked, unless a session that has ended is still to be read. */
export function mountBlocked(el: HTMLElement, machine: Machine, actions: Actions): Dispose {
  let timer = 0;

  const hide = () => {
    clearTimeout(timer);
    el.replaceChildren();
  };
  const show = (blockade: Blockade) => {
    const owners = element("div", { class: "owners", "aria-live": "polite" });
    const choices = choicesFor(blockade, actions);
    const panel = element(
      "section",
      { class: "blocked", "aria-labelledby": "blocked-title" },
      element("h2", { id: "blocked-title", tabindex: "-1" }, headings[blockade.reason]),
      element("p", {}, blockade.detail),
      owners,
      element("ul", { class: "choices" }, ...choices.map(drawChoice)),
    );
    el.replaceChildren(panel);
    panel.querySelector("button")?.focus();
    let shown = "";
    const look = async () => {
      const found = await machine.diskOwners().catch(() => []);
      // Redrawn only when it changes: it is read aloud.
      const key = JSON.stringify(found);
      if (key !== shown) owners.replaceChildren(...drawOwners(found));
      shown = key;
      if (panel.isConnected) timer = window.setTimeout(look, lookMs);
    };
    void look();
  };
  const onState = () => {
    hide();
    const { blockade } = machine;
    if (blockade && blockade.reason !== "taken-over") show(blockade);
  };
  const off = machine.on("state", onState);
  onState();
  return () => {
    off();
    hide();
  };
}

function choicesFor({ reason }: Blockade, actions: Actions): Choice[] {
  const choices: Choice[] = [];
  if (reason === "refused") {
    choices.push({
      label: "Take over anyway",
      explanation: "Takes the disks away from the other tab. What it has not saved is lost.",
      run: actions.steal,
      danger: true,
    });
  } else {
    choices.push({
      label: "Take over",
      explanation:
        "The other tab saves its disks and stops, and this one boots from them. If it does not answer for four seconds the disks are taken away from it, and what it had not flushed is lost.",
      run: actions.takeOver,
    });
  }
  if (reason !== "too-large") {
    choices.push({
      label: "Open read-only",
      explanation:
        "Boots from a copy of the disks as they are now, and leaves the other tab alone. What you change stays in this tab’s memory and is dropped when it closes.",
      run: actions.openReadOnly,
    });
  }
  choices.push({
    label: "Try again",
    explanation: "Once the other tab is closed.",
    run: actions.own,
  });
  return choices;
}

function drawChoice({ label, explanation, run, danger }: Choice, index: number): HTMLElement {
  const id = `choice-${index}`;
  const button = element(
    "button",
    { type: "button", "aria-describedby": id, ...(danger && { class: "danger" }) },
    label,
  );
  button.addEventListener("click", () => void run());
  return element("li", {}, button, element("p", { id, class: "explanation" }, explanation));
}

function drawOwners(owners: readonly DiskOwner[]): HTMLElement[] {
  if (owners.length === 0) {
    return [element("p", {}, "No tab says that it has them at the moment: try again.")];
  }
  return owners.map(({ url, since, disks }) =>
    element(
      "dl",
      { class: "owner" },
      ...row("Disks", disks.join(", ")),
      ...row("Tab", url),
      ...row("Since", sinceText(since)),
    ),
  );
}

const row = (term: string, text: string): HTMLElement[] => [element("dt", {}, term), element("dd", {}, text)];

function sinceText(since: number): string {
  const date = new Date(since);
  const sameDay = date.toDateString() === new Date().toDateString();
  return sameDay
    ? date.toLocaleTimeString([], { timeStyle: "short" })
    : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
