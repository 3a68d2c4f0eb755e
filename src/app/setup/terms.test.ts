import { expect, test } from "vitest";
import { parameters } from "../settings.ts";
import { settingTerms } from "./terms.ts";

test("each setting is in the form, in words", () => {
  expect(Object.keys(settingTerms).toSorted()).toEqual(parameters.map(({ name }) => name).toSorted());
});

test("names of choices are those of choices that there are", () => {
  for (const { name, allowed } of parameters) {
    const there = allowed.kind === "choice" ? allowed.choices : [];
    expect(there, name).toEqual(expect.arrayContaining(Object.keys(settingTerms[name].choices ?? {})));
  }
});
