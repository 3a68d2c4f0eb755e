/** The form that makes a fault rule. */
import { type FaultActionName, type FaultRule, statusOf } from "../../devices/nvme/faults/rules.ts";
import { commandName, statusName } from "../../devices/nvme/spec/decode.ts";
import { AdminOpcode, NvmOpcode } from "../../devices/nvme/spec/opcodes.ts";
import { element } from "../dom.ts";

/** Actions as one chooses them; those in `once` need no command. */
const actions: readonly (readonly [FaultActionName, label: string])[] = [
  ["delay", "Delay it"],
  ["fail", "Fail it with a status"],
  ["drop", "Drop its completion"],
  ["corrupt", "Corrupt its data"],
  ["duplicate", "Complete it twice"],
  ["stall", "Stall the iothread before it"],
  ["interrupt", "Raise a spurious interrupt"],
  ["fatal", "Controller fatal status"],
  ["remove", "Pull the controller out"],
];
const once: readonly FaultActionName[] = ["interrupt", "fatal", "remove"];

/** Status code type and status code of failures to choose from. */
const failures = [
  [2, 0x81],
  [2, 0x80],
  [0, 0x06],
  [0, 0x04],
  [0, 0x80],
  [0, 0x81],
  [0, 0x07],
] as const;

export interface RuleForm {
  readonly root: HTMLFormElement;
  /** The rule as the fields have it; it may be refused still. */
  readonly rule: FaultRule;
}

/** Makes the form; `arm` is called when its button is pressed. */
export function makeRuleForm(arm: (rule: FaultRule) => void): RuleForm {
  const action = select("Fault", actions);
  const at = select("When", [
    ["now", "now, once"],
    ["commands", "at commands that match"],
  ]);
  const ms = number("Milliseconds", "500", 1);
  const status = select(
    "Status",
    failures.map(([sct, sc], i) => [String(i), statusName(statusOf({ action: "fail", sct, sc }))]),
  );
  const dnr = element("input", { type: "checkbox" });
  const dnrLabel = element("label", {}, dnr, "Do not retry");
  const bytes = number("Bytes", "1", 1);
  const command = select("Command", [
    ["io:", "any I/O command"],
    ...named("io", NvmOpcode),
    ["admin:", "any admin command"],
    ...named("admin", AdminOpcode),
  ]);
  const nsid = number("Namespace", "", 1, "any");
  const firstLba = number("Blocks from", "", 0, "any");
  const lastLba = number("to", "", 0, "any");
  const skip = number("Skip the first", "", 0, "0");
  const count = number("At most", "1", 1, "∞");
  const percent = number("Percent", "", 0.1, "100");
  const script = element("code", {});
  const matching = [command, nsid, firstLba, lastLba, skip, count, percent];

  const actionName = () => action.field.value as FaultActionName;
  const happensNow = () => once.includes(actionName()) && at.field.value === "now";
  const present = (): FaultRule => {
    const name = actionName();
    if (happensNow()) return { action: name, now: true } as FaultRule;
    const [queue, commandNamed] = command.field.value.split(":");
    const lba = [numberOf(firstLba), numberOf(lastLba)];
    const [sct, sc] = failures[Number(status.field.value)];
    return {
      action: name,
      ...((name === "delay" || name === "stall") && { ms: numberOf(ms) }),
      ...(name === "fail" && { sct, sc, ...(dnr.checked && { dnr: true }) }),
      ...(name === "corrupt" && { bytes: numberOf(bytes) }),
      ...(commandNamed ? { command: commandNamed } : queue === "admin" && { queue }),
      ...given("nsid", numberOf(nsid)),
      ...(lba.some(block => block !== undefined) && { lba: [lba[0] ?? lba[1], lba[1] ?? lba[0]] }),
      ...given("skip", numberOf(skip)),
      ...given("count", numberOf(count)),
      ...given("probability", percentOf(percent)),
    } as FaultRule;
  };

  const root = element(
    "form",
    { class: "fault-form", "aria-label": "New fault" },
    element("div", { class: "filters" }, action.root, at.root, ms.root, status.root, dnrLabel, bytes.root),
    element("div", { class: "filters" }, ...matching.map(({ root }) => root)),
    element(
      "div",
      { class: "buttons" },
      element("button", { type: "submit", class: "danger" }, "Arm"),
      element("p", { class: "explanation" }, "The same for scripts: ", script),
    ),
  );
  const show = () => {
    const name = actionName();
    at.root.hidden = !once.includes(name);
    ms.root.hidden = name !== "delay" && name !== "stall";
    status.root.hidden = name !== "fail";
    dnrLabel.hidden = name !== "fail";
    bytes.root.hidden = name !== "corrupt";
    for (const { root } of matching) root.hidden = happensNow();
    script.textContent = `doorbell.faults.arm(${JSON.stringify(present())})`;
  };
  root.addEventListener("input", show);
  root.addEventListener("submit", event => {
    event.preventDefault();
    arm(present());
  });
  show();
  return {
    root,
    get rule() {
      return present();
    },
  };
}

function named(queue: "io" | "admin", opcodes: Readonly<Record<string, number>>): [string, string][] {
  return Object.entries(opcodes).map(([name, opcode]) => [
    `${queue}:${name}`,
    commandName(queue === "io" ? 1 : 0, opcode),
  ]);
}

function select(label: string, options: readonly (readonly [value: string, text: string])[]) {
  const field = element("select", {}, ...options.map(([value, text]) => element("option", { value }, text)));
  return { field, root: element("label", {}, label, field) };
}

function number(label: string, value: string, min: number, placeholder = "") {
  const field = element("input", { type: "number", min: String(min), step: "any", value, placeholder });
  return { field, root: element("label", {}, label, field) };
}

/** Undefined for an empty field. */
const numberOf = ({ field }: { readonly field: HTMLInputElement }): number | undefined =>
  field.value === "" ? undefined : field.valueAsNumber;

function percentOf(input: { readonly field: HTMLInputElement }): number | undefined {
  const percent = numberOf(input);
  return percent === undefined ? undefined : percent / 100;
}

const given = (name: string, value: number | undefined) => (value === undefined ? {} : { [name]: value });
