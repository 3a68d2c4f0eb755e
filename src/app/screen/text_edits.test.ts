import { expect, test } from "vitest";
import { editBetween } from "./text_edits.ts";

test("a word that grows is typed once", () => {
  let before = " ";
  let typed = "";
  for (const after of [" l", " ls", " ls ", " ls -", " ls -l"]) {
    const { deletions, text } = editBetween(before, after);
    expect(deletions).toBe(0);
    typed += text;
    before = after;
  }
  expect(typed).toBe("ls -l");
});

test("a correction takes back what it changes, and no more", () => {
  expect(editBetween(" teh", " the ")).toEqual({ deletions: 2, text: "he " });
  expect(editBetween(" echo", " ech")).toEqual({ deletions: 1, text: "" });
  expect(editBetween(" ", "")).toEqual({ deletions: 1, text: "" });
  expect(editBetween(" a", " a\n")).toEqual({ deletions: 0, text: "\n" });
  expect(editBetween(" a", " a")).toEqual({ deletions: 0, text: "" });
});

test("a character outside of the first plane is one", () => {
  expect(editBetween(" 🔔", " ")).toEqual({ deletions: 1, text: "" });
});
