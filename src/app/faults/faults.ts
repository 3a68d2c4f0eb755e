/** The faults view: break the NVMe controller on purpose, see what it hit, and put it right again. */
import type { FiredFault } from "../../devices/nvme/faults/rules.ts";
import type { ListedFault, Machine } from "../../machine/api.ts";
import { type Dispose, element, setText } from "../dom.ts";
import { formatCount } from "../format.ts";
import { makeRuleForm } from "./rule_form.ts";
import { hitText, ruleText } from "./rule_text.ts";

const LOOK_MS = 500;
/** Of the latest faults. */
const SHOWN = 20;

/** Mounts the view into `el`. */
export function mountFaults(el: HTMLElement, machine: Machine): Dispose {
  const { faults } = machine;
  const problem = element("p", { class: "problem", role: "alert" });
  const armedList = element("tbody", {});
  const firedList = element("tbody", {});
  const none = element(
    "p",
    { class: "explanation" },
    "No fault is armed: the controller works as it should.",
  );
  const normal = element("button", { type: "button" }, "Back to normal");
  const armedTable = element(
    "table",
    { class: "armed" },
    element("caption", {}, "Armed: the first rule that fits a command fires"),
    armedList,
  );
  const firedTable = element(
    "table",
    { class: "fired" },
    element("caption", {}, "What they hit, latest first"),
    firedList,
  );

  /** Does it, and says here why it could not be done. */
  const attempt = async (work: () => Promise<unknown>) => {
    setText(problem, "");
    try {
      await work();
      await look();
    } catch (error) {
      setText(problem, error instanceof Error ? error.message : String(error));
    }
  };
  const form = makeRuleForm(rule => void attempt(() => faults.arm(rule)));
  normal.addEventListener("click", () => void attempt(() => faults.clear()));
  el.replaceChildren(
    element(
      "section",
      { class: "faults", "aria-label": "Faults" },
      element(
        "p",
        { class: "explanation" },
        "Break the SSD on purpose and watch Linux recover (dmesg). Mind that Linux’s own file system is namespace 1.",
      ),
      form.root,
      problem,
      element("div", { class: "buttons" }, normal),
      none,
      armedTable,
      firedTable,
    ),
  );

  let shownRules = "";
  const showArmed = (rules: readonly ListedFault[]) => {
    none.hidden = rules.length > 0;
    armedTable.hidden = rules.length === 0;
    normal.disabled = rules.length === 0;
    const key = JSON.stringify(rules.map(({ id }) => id));
    if (key !== shownRules) armedList.replaceChildren(...rules.map(rule => ruleRow(rule)));
    shownRules = key;
    for (const [i, { fired }] of rules.entries()) {
      const cell = armedList.rows[i]?.cells[1];
      if (cell) setText(cell, `${formatCount(fired)}×`);
    }
  };
  const ruleRow = ({ id, rule }: ListedFault) => {
    const text = ruleText(rule);
    const lift = element("button", { type: "button", class: "quiet", "aria-label": `Lift: ${text}` }, "✕");
    lift.addEventListener("click", () => void attempt(() => faults.disarm(id)));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, text),
      element("td", { class: "count", title: "How often it has fired" }),
      element("td", {}, lift),
    );
  };
  let shownFired = "";
  const showFired = (fired: readonly FiredFault[]) => {
    const latest = fired.slice(-SHOWN).reverse();
    const key = JSON.stringify(latest.map(({ id, at }) => [id, at]));
    firedTable.hidden = latest.length === 0;
    if (key === shownFired) return;
    shownFired = key;
    firedList.replaceChildren(...latest.map(firedRow));
  };

  let stopped = false;
  let timer = 0;
  const look = async () => {
    showArmed(await faults.list());
    showFired(await faults.fired());
  };
  const again = async () => {
    // While no machine runs there is nothing to be listed; a worker that stands still answers later.
    await look().catch(() => showArmed([]));
    if (!stopped) timer = window.setTimeout(again, LOOK_MS);
  };
  showArmed([]);
  showFired([]);
  void again();
  return () => {
    stopped = true;
    clearTimeout(timer);
    el.replaceChildren();
  };
}

function firedRow(fault: FiredFault): HTMLElement {
  const time = new Date(fault.at).toLocaleTimeString("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  });
  return element(
    "tr",
    {},
    element("td", { class: "time" }, time),
    element("th", { scope: "row" }, fault.action),
    element("td", {}, hitText(fault)),
  );
}
