import { expect, it } from "vitest";
import { ConsoleTail } from "./console_tail.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (string: string) => new TextEncoder().encode(string);

it("has all of what was little, and of more the last lines", () => {
  const tail = new ConsoleTail();
  tail.add(bytesOf("login: "));
  tail.add(bytesOf("root\n"));
  expect(text(tail.bytes)).toBe("login: root\n");
  for (let i = 0; i < 5000; i++) tail.add(bytesOf(`line ${i}\n`));
  const lines = text(tail.bytes).split("\n");
  expect(lines[0]).toMatch(/^line \d+$/);
  expect(lines.at(-2)).toBe("line 4999");
  expect(tail.bytes.length).toBeLessThanOrEqual(16384);
  expect(tail.bytes.length).toBeGreaterThan(16000);
  tail.clear();
  expect(tail.bytes).toHaveLength(0);
});
