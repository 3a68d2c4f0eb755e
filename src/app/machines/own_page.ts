/** The page with a machine of one's own: one that is kept (`?machine=…`), or one that a link describes. */
import type { MachineSettings } from "../../machine/api.ts";
import { createMachine } from "../../machine/machine.ts";
import type { MachineScreen } from "../../machine/screen_protocol.ts";
import { button, element, slot } from "../dom.ts";
import { isPermitted } from "../network/permission.ts";
import { mountPage } from "../page.ts";
import { mountScreen, type ScreenView } from "../screen/screen_view.ts";
import { parseSettings, SHARED_LINE } from "../settings.ts";
import type { TerminalView } from "../terminal/terminal.ts";
import { parseMachineLink } from "./link.ts";
import { findMachine, settingsOf } from "./store.ts";
import { showName } from "./title.ts";

/** Starts it, or says in its place why it cannot be started. */
export async function runOwnMachine(): Promise<void> {
  const id = new URLSearchParams(location.search).get("machine");
  if (id !== null) {
    const kept = await findMachine(id).catch(() => undefined);
    if (kept) start(settingsOf(kept));
    else
      obstacle("There is no such machine", [
        "This browser keeps no machine of that name; it may have been deleted.",
      ]);
    return;
  }
  const linked = parseMachineLink(location.search, location.href);
  if ("problems" in linked) {
    obstacle("This link describes no machine that can be started", linked.problems);
  } else if (linked.foreignOrigins.length === 0 || (await mayFetch(linked.foreignOrigins))) {
    start(linked.settings);
  }
}

function start(settings: MachineSettings): void {
  showName(settings.own?.name ?? "");
  const { network: asked, start } = parseSettings(location.search).settings;
  const shares = settings.own?.bus === "virtio" && settings.interrupts === "intx" && asked !== "";
  const network = shares || !isPermitted(asked) ? "" : asked;
  const machine = createMachine({ ...settings, network, start });
  machine.start().catch(() => {});
  const { screen } = machine;
  mountPage(
    machine,
    shares ? [SHARED_LINE] : [],
    shares || network === asked ? undefined : asked,
    screen && ((console, leave) => mountMachineView(screen, console, leave)),
  );
}

/** Screen and console of a machine of one's own, in the place of the console alone. */
function mountMachineView(screen: MachineScreen, console: TerminalView, leave: () => void): ScreenView {
  const root = slot("terminal");
  const place = element("div", { id: "screen" });
  const both = element("div", { class: "machine-view" });
  root.replaceWith(both);
  both.append(place, root);
  const view = mountScreen(place, { root, focus: () => console.focus() }, screen, leave);
  // The boot panel drops from the line with "Send keys…", and not over it.
  place.firstElementChild?.after(slot("boot-stages"));
  return view;
}

/** Other sites are not asked for anything before the user has said so. */
function mayFetch(origins: readonly string[]): Promise<boolean> {
  return new Promise(resolve => {
    const answer = button("Start the machine", () => resolve(true));
    show(
      "A machine from other sites",
      element("p", {}, "This link starts a machine with images from:"),
      element("ul", {}, ...origins.map(origin => element("li", {}, element("code", {}, origin)))),
      element(
        "p",
        {},
        "They are read as the machine asks for them. What runs in it stays in it: nothing of it is kept, and no disk of yours is in it.",
      ),
      element("div", { class: "buttons" }, answer, builtIn()),
    );
    answer.focus();
  });
}

function obstacle(title: string, sentences: readonly string[]): void {
  show(title, ...sentences.map(sentence => element("p", {}, sentence)), element("p", {}, builtIn()));
}

const builtIn = () => element("a", { href: location.pathname }, "Start the built-in machine");

function show(title: string, ...children: Node[]): void {
  slot("terminal").replaceChildren(
    element("div", { class: "obstacle", role: "alert" }, element("h2", {}, title), ...children),
  );
}
