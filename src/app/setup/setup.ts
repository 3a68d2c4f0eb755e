/** The settings view: what the machine was started with, as a form; and one button that puts all back to normal. */
import type { Machine } from "../../machine/api.ts";
import { messageOf } from "../controls/actions.ts";
import { type Dispose, element, setText } from "../dom.ts";
import { permit } from "../network/permission.ts";
import { defaultSettings, type Parameter, parameters, parseSettings, settingsQuery } from "../settings.ts";
import { startAgain } from "./change.ts";
import { settingTerms } from "./terms.ts";

/** Mounts the view into `el`. */
export function mountSetup(el: HTMLElement, machine: Machine): Dispose {
  const fields = parameters.map(parameter => makeField(parameter, parameter.textOf(machine.settings)));
  const link = element("a", {});
  const message = element("p", { class: "problem", role: "alert" });
  const start = element("button", { type: "submit" }, "Start again with these");
  const normal = element(
    "button",
    { type: "button", title: "Full speed, no faults, and each setting at its default" },
    "Back to normal",
  );
  const form = element(
    "form",
    { class: "setup", "aria-label": "Settings" },
    element(
      "p",
      { class: "explanation" },
      "Settings hold from the machine’s next start. Linux’s disks are written first; what runs in it is ended.",
    ),
    ...fields.map(({ root }) => root),
    message,
    element("div", { class: "buttons" }, start, normal),
    element("p", { class: "explanation" }, "Link to this machine: ", link),
  );
  el.replaceChildren(form);

  const chosen = () => {
    const search = new URLSearchParams(fields.map(({ name, input }) => [name, input.value]));
    return parseSettings(`?${search}`).settings;
  };
  const query = () => settingsQuery(chosen());
  const present = settingsQuery(machine.settings);
  const show = () => {
    const url = `${location.origin}${location.pathname}${query()}`;
    link.href = url;
    setText(link, url);
    start.disabled = query() === present;
  };
  /** Does it, and says here why it could not be done. */
  const attempt = async (work: () => Promise<unknown>) => {
    setText(message, "");
    start.disabled = normal.disabled = true;
    try {
      await work();
    } catch (error) {
      setText(message, `That did not work: ${messageOf(error)}.`);
    }
    normal.disabled = false;
    show();
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", event => {
    event.preventDefault();
    permit(chosen().network);
    void attempt(() => startAgain(machine, query()));
  });
  normal.addEventListener("click", () =>
    attempt(async () => {
      machine.slowMotion.resume();
      if (machine.faults.armed.length > 0) await machine.faults.clear();
      if (present !== "") return void (await startAgain(machine, ""));
      for (const { input, parameter } of fields) input.value = parameter.textOf(defaultSettings);
    }),
  );
  show();
  return () => el.replaceChildren();
}

function makeField(parameter: Parameter, text: string) {
  const { name, allowed } = parameter;
  const { label, explanation, choices = {} } = settingTerms[name];
  const described = `setting-${name}-explained`;
  const attributes = { name, id: `setting-${name}`, "aria-describedby": described };
  const input =
    allowed.kind === "choice"
      ? element(
          "select",
          attributes,
          ...allowed.choices.map(value => element("option", { value }, choices[value] ?? value)),
        )
      : allowed.kind === "integer"
        ? element("input", {
            ...attributes,
            type: "number",
            required: true,
            min: String(allowed.min),
            max: String(allowed.max),
          })
        : element("input", {
            ...attributes,
            type: "text",
            maxlength: String(allowed.maxLength),
            pattern: "[\\x20-\\x7e]*",
            spellcheck: "false",
            autocapitalize: "off",
          });
  input.value = text;
  const unit = allowed.kind === "integer" ? [" ", element("span", { class: "unit" }, allowed.unit)] : [];
  const root = element(
    "div",
    { class: "setting" },
    element("label", { for: attributes.id }, label),
    element("span", {}, input, ...unit),
    element("p", { class: "explanation", id: described }, explanation),
  );
  return { name, parameter, input, root };
}
