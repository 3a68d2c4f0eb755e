/** The page: puts the views and the machine together, and starts it at once. */
import type { Machine, MachineSettings } from "../machine/api.ts";
import { createMachine } from "../machine/machine.ts";
import { makeAutomation } from "./automation.ts";
import { mountBoot } from "./boot/boot.ts";
import { makeActions, messageOf } from "./controls/actions.ts";
import { mountToolbar, type Toolbar } from "./controls/toolbar.ts";
import { element } from "./dom.ts";
import { openHelp } from "./help/help.ts";
import { mountNotices } from "./notices/notices.ts";
import { browserFeatures, missingRequirement } from "./requirements.ts";
import { parseSettings } from "./settings.ts";
import { mountStatus } from "./status/status.ts";
import { mountTerminal } from "./terminal/terminal.ts";

const missing = missingRequirement(browserFeatures());
if (missing === undefined) await run();
else explain(missing);

async function run(): Promise<void> {
  const { settings, notices: ignored } = parseSettings(location.search);
  const notices = mountNotices(slot("notices"));
  for (const message of ignored) notices.notice(message);

  const machine = await openMachine(settings);
  let toolbar: Toolbar | undefined;
  const terminal = mountTerminal(slot("terminal"), machine, () => toolbar?.focus());
  const actions = makeActions(machine, { restarting: () => terminal.focus(), failed: notices.notice });
  toolbar = mountToolbar(
    slot("toolbar"),
    actions,
    () => openHelp(terminal),
    () => terminal.focus(),
  );
  mountBoot(slot("boot"), slot("boot-stages"), machine);
  mountStatus(slot("status"), machine);
  notices.watch(machine, actions);
  machine.on("state", state => {
    if (state === "running") focusUnlessBusy(() => terminal.focus());
  });

  window.doorbell = makeAutomation(machine, terminal);
  focusUnlessBusy(() => terminal.focus());
  try {
    await machine.start();
  } catch (error) {
    if (machine.state !== "failed") notices.notice(`The machine did not start: ${messageOf(error)}.`);
  }
}

/** Takes the keyboard focus for the terminal unless someone is using it elsewhere. */
function focusUnlessBusy(focus: () => void): void {
  if (document.activeElement === document.body || document.activeElement === null) focus();
}

/** In development `?fake` plays a machine, to work on the page alone; nothing of it is in a build. */
async function openMachine(settings: MachineSettings): Promise<Machine> {
  if (import.meta.env.DEV) {
    const fake = new URLSearchParams(location.search).get("fake");
    if (fake !== null) return (await import("./testing/fake_machine.ts")).createFakeMachine(settings, fake);
  }
  return createMachine(settings);
}

/** In place of the terminal: why there is no machine. */
function explain(sentence: string): void {
  slot("terminal").replaceChildren(
    element(
      "div",
      { class: "obstacle", role: "alert" },
      element("h2", {}, "Doorbell cannot start here"),
      element("p", {}, ...quotedAsCode(sentence)),
    ),
  );
}

/** What the sentence has in “quotes” is to be typed or copied: shown as code, which also keeps headers in one piece. */
function quotedAsCode(sentence: string): (Node | string)[] {
  return sentence.split(/“([^”]*)”/).map((part, i) => (i % 2 === 1 ? element("code", {}, part) : part));
}

function slot(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element #${id}`);
  return found;
}
