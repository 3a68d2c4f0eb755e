import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { licencesText } from "../../../scripts/build/licences.ts";

const root = new URL("../../../", import.meta.url);

it("has the licence of everything that the page ships", () => {
  const text = licencesText(root);
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  for (const name of Object.keys(dependencies)) expect(text).toContain(`${name} ${dependencies[name]}`);
  expect(text).toContain("Redistribution and use in source and binary forms");
  expect(text).toMatch(/^\| linux \| \S+ \| GPL-2\.0-only/m);
  expect(text).toContain("guest/build");
});
