import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defaultSettings } from "../settings.ts";
import { createFakeMachine } from "../testing/fake_machine.ts";
import { mountTerminal, type TerminalView } from "./terminal.ts";

const machine = createFakeMachine(defaultSettings, "");
const leave = vi.fn();
let terminal: TerminalView;

beforeEach(async () => {
  const el = document.createElement("div");
  document.body.replaceChildren(el);
  terminal = mountTerminal(el, machine, leave);
  await machine.start();
});

afterEach(() => terminal.dispose());

test("shows the console and types into it", async () => {
  await expect.poll(() => terminal.text()).toMatch(/root@doorbell:~#$/);
  terminal.run("uname");
  await expect.poll(() => terminal.text()).toContain("sh: uname: this machine only pretends");
});

test("F6 leaves the terminal and does not reach the guest", () => {
  const send = vi.spyOn(machine, "send");
  terminal.focus();
  document.activeElement?.dispatchEvent(
    new KeyboardEvent("keydown", { key: "F6", bubbles: true, cancelable: true }),
  );
  expect(leave).toHaveBeenCalledOnce();
  expect(send).not.toHaveBeenCalled();
  send.mockRestore();
});

test("20 MB of output at once end at the prompt, and the page stays alive", async () => {
  await expect.poll(() => terminal.text()).toMatch(/root@doorbell:~#$/);
  let longestTurnMs = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longestTurnMs = Math.max(longestTurnMs, performance.now() - last);
    last = performance.now();
  }, 0);
  terminal.run("flood");
  await expect
    .poll(() => terminal.text(), { timeout: 30_000, interval: 200 })
    .toMatch(/y\nroot@doorbell:~#$/);
  clearInterval(timer);
  // Generous: a busy test machine. Drawing 20 MB in one turn takes seconds.
  expect(longestTurnMs).toBeLessThan(1000);
});

test("a new boot starts with an empty screen", async () => {
  terminal.run("before");
  await expect.poll(() => terminal.text()).toContain("before");
  await machine.restart();
  await expect.poll(() => terminal.text()).toMatch(/root@doorbell:~#$/);
  expect(terminal.text()).not.toContain("before");
});
