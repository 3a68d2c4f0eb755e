import { expect, it } from "vitest";
import type { FaultRule } from "../../devices/nvme/faults/rules.ts";
import { hitText, ruleText } from "./rule_text.ts";

it.each<[FaultRule, string]>([
  [{ action: "delay", ms: 300 }, "Delay any I/O command by 300 ms"],
  [
    { action: "drop", command: "write", nsid: 2, count: 1 },
    "Drop the completion of Write in namespace 2, at most 1×",
  ],
  [
    { action: "fail", sct: 2, sc: 0x81, dnr: true, command: "read", lba: [0, 7] },
    "Fail Read at blocks 0–7 with unrecovered read error (281h, do not retry)",
  ],
  [
    { action: "corrupt", bytes: 3, command: 1, probability: 0.125 },
    "Corrupt the data of Write, 3 bytes, 12.5 % of them",
  ],
  [{ action: "duplicate", queue: "admin", skip: 2 }, "Complete twice any admin command, after the first 2"],
  [{ action: "drop", command: "identify" }, "Drop the completion of Identify"],
  [{ action: "stall", ms: 5, queue: 1 }, "Stall the iothread before any I/O command of queue 1 by 5 ms"],
  [{ action: "remove", now: true }, "Controller pulled out"],
])("%j in words", (rule, text) => {
  expect(ruleText(rule)).toBe(text);
});

it("what was hit in words", () => {
  expect(hitText({ id: 1, action: "remove", at: 0 })).toBe("no command");
  const command = { qid: 1, cid: 0x2a, opcode: 2, nsid: 2, lba: 8 };
  expect(hitText({ id: 1, action: "drop", at: 0, command })).toBe(
    "Read, namespace 2, block 8, queue 1, command 002Ah",
  );
  expect(hitText({ id: 1, action: "drop", at: 0, command: { qid: 0, cid: 0, opcode: 6, nsid: 0 } })).toBe(
    "Identify, admin queue, command 0000h",
  );
});
