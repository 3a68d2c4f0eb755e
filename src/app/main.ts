/**
 * The start of the page: checks what the browser offers and starts the machine at once. The views come after it, in a
 * chunk of their own, so that the images and the workers do not wait for them.
 */
import type { Machine, MachineSettings } from "../machine/api.ts";
import { createMachine } from "../machine/machine.ts";
import { element, slot } from "./dom.ts";
import { isPermitted } from "./network/permission.ts";
import { holdVersion } from "./offline/own_version.ts";
import { browserFeatures, missingRequirement } from "./requirements.ts";
import { parseSettings } from "./settings.ts";

holdVersion();
const missing = missingRequirement(browserFeatures());
if (new URLSearchParams(location.search).has("trace")) await showTrace();
else if (missing === undefined && isOwnMachine()) await runOwn();
else if (missing === undefined) await run();
else if (crossOriginIsolated || !(await reloadIsolated())) explain(missing);

async function run(): Promise<void> {
  const { settings, notices } = parseSettings(location.search);
  const { network } = settings;
  const mayConnect = isPermitted(network);
  const machine = await openMachine(mayConnect ? settings : { ...settings, network: "" });
  // A failed start is a state of the machine, which the views show.
  machine.start().catch(() => {});
  const { mountPage } = await import("./page.ts");
  mountPage(machine, notices, mayConnect ? undefined : network);
}

/** True if the page is about to be loaded again, with what was missing. */
async function reloadIsolated(): Promise<boolean> {
  return (await import("./offline/isolate.ts")).reloadIsolated();
}

/** An address with images, or with a kept machine: not the built-in one. */
function isOwnMachine(): boolean {
  const search = new URLSearchParams(location.search);
  return ["machine", "cdrom", "floppy", "bzimage", "initrd", "disk"].some(name => search.has(name));
}

async function runOwn(): Promise<void> {
  const { runOwnMachine } = await import("./machines/own_page.ts");
  await runOwnMachine();
}

/** No machine: it works in browsers, and beside tabs, with which none could start. */
async function showTrace(): Promise<void> {
  const { mountTracePage } = await import("./replay/trace_page.ts");
  mountTracePage();
}

/** In development `?fake` plays a machine, to work on the page alone; nothing of it is in a build. */
async function openMachine(settings: MachineSettings): Promise<Machine> {
  if (import.meta.env.DEV) {
    const fake = new URLSearchParams(location.search).get("fake");
    if (fake !== null) return (await import("./testing/fake_machine.ts")).createFakeMachine(settings, fake);
  }
  // Asked for only when it is used: a browser that forbids storage throws.
  return createMachine(settings, {
    getItem: key => localStorage.getItem(key),
    setItem: (key, value) => localStorage.setItem(key, value),
  });
}

/** In place of the terminal: why there is no machine. */
function explain(sentence: string): void {
  slot("terminal").replaceChildren(
    element(
      "div",
      { class: "obstacle", role: "alert" },
      element("h2", {}, "Doorbell cannot start here"),
      element("p", {}, ...quotedAsCode(sentence)),
      element("p", {}, element("a", { href: "?trace" }, "Look at a saved trace"), " without a machine."),
    ),
  );
}

/** What the sentence has in “quotes” is to be typed or copied: shown as code, which also keeps headers in one piece. */
function quotedAsCode(sentence: string): (Node | string)[] {
  return sentence.split(/“([^”]*)”/).map((part, i) => (i % 2 === 1 ? element("code", {}, part) : part));
}
