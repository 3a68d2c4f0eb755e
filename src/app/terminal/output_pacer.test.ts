import { expect, test } from "vitest";
import { OutputPacer } from "./output_pacer.ts";

/** A terminal that is done with a write when the test says so. */
function slowTerminal() {
  const written: string[] = [];
  const pending: (() => void)[] = [];
  return {
    written,
    pending,
    write: (data: Uint8Array | string, done: () => void) => {
      written.push(typeof data === "string" ? data : new TextDecoder().decode(data));
      pending.push(done);
    },
    drain() {
      for (let done = pending.shift(); done; done = pending.shift()) done();
    },
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("the first bytes go through at once, the rest when the terminal is done, joined", () => {
  const terminal = slowTerminal();
  const pacer = new OutputPacer(terminal.write);
  pacer.push(bytes("a"));
  pacer.push(bytes("b"));
  pacer.push(bytes("c"));
  expect(terminal.written).toEqual(["a"]);
  expect(terminal.pending).toHaveLength(1);
  terminal.drain();
  expect(terminal.written).toEqual(["a", "bc"]);
  pacer.push(bytes("d"));
  expect(terminal.written).toEqual(["a", "bc", "d"]);
});

test("large output is cut into pieces, in order and complete", () => {
  const terminal = slowTerminal();
  const pacer = new OutputPacer(terminal.write);
  const text = Array.from({ length: 40_000 }, (_, i) => `${i}\n`).join("");
  for (let i = 0; i < text.length; i += 50_001) pacer.push(bytes(text.slice(i, i + 50_001)));
  terminal.drain();
  expect(terminal.written.join("")).toBe(text);
  expect(Math.max(...terminal.written.map(piece => piece.length))).toBeLessThanOrEqual(65_536);
});

test("beyond the limit the oldest waiting output is skipped and the gap is marked", () => {
  const terminal = slowTerminal();
  const pacer = new OutputPacer(terminal.write, 2_000_000);
  pacer.push(bytes("start"));
  for (let i = 0; i < 4; i++) pacer.push(bytes(String(i).repeat(1_000_000)));
  pacer.push(bytes("$ "));
  terminal.drain();
  const all = terminal.written.join("");
  expect(all.startsWith("start")).toBe(true);
  expect(all).toContain("[3.0 MB of output skipped]");
  expect(all).not.toContain("0000");
  expect(all.endsWith("$ ")).toBe(true);
});

test("clear forgets what waits", () => {
  const terminal = slowTerminal();
  const pacer = new OutputPacer(terminal.write);
  pacer.push(bytes("a"));
  pacer.push(bytes("b"));
  pacer.clear();
  terminal.drain();
  expect(terminal.written).toEqual(["a"]);
});
