import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adminCommands } from "./admin/commands.ts";
import { features } from "./admin/features.ts";
import { identifyStructures } from "./admin/identify_command.ts";
import { logPages } from "./admin/log_pages.ts";
import { ioCommands } from "./io/commands.ts";
import { Register } from "./spec/registers.ts";
import { PAGE, Rig } from "./testing/driver.ts";

/** docs/nvme-support.md says what the code does: its tables against the code's own, and against Identify. */

const root = new URL("../../../", import.meta.url);
const text = readFileSync(new URL("docs/nvme-support.md", root), "utf8");

type Row = Readonly<Record<string, string>>;

/** The rows of the table below a heading, by the names of its columns. */
function table(heading: string): Row[] {
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`docs/nvme-support.md has no heading "${heading}"`);
  const lines = text.slice(start + heading.length + 2).split("\n");
  const end = lines.findIndex(line => line.startsWith("#"));
  const [head, , ...rows] = lines
    .slice(0, end < 0 ? lines.length : end)
    .filter(line => line.startsWith("|"))
    .map(line => line.split("|").slice(1, -1));
  return rows.map(cells => Object.fromEntries(head.map((name, i) => [name.trim(), cells[i].trim()])));
}

const number = (hex: string): number => {
  expect(hex).toMatch(/^[0-9A-F]+h$/);
  return Number.parseInt(hex, 16);
};

const listed = (rows: Row[], id: string, state: "✅" | "❌"): number[] =>
  rows.filter(row => row.state.startsWith(state)).map(row => number(row[id]));

const adminTable = new Map([
  ...adminCommands({ shadowDoorbells: "dbbuf" }),
  ...adminCommands({ shadowDoorbells: "google" }),
]);

/** What NVMe 1.4 defines, apart from vendor specific and Fabrics values. */
const defined = {
  // Figures 139 and 140.
  admin: [
    0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x10, 0x11, 0x14, 0x15, 0x18, 0x19,
    0x1a, 0x1c, 0x1d, 0x1e, 0x7c, 0x80, 0x81, 0x82, 0x84, 0x86,
  ],
  // Figure 346.
  nvm: [0x00, 0x01, 0x02, 0x04, 0x05, 0x08, 0x09, 0x0c, 0x0d, 0x0e, 0x11, 0x15],
  // Figure 244.
  cns: [0x00, 0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17],
  // Figures 271 and 272.
  features: [...Array.from({ length: 0x18 }, (_, i) => i + 1), 0x80, 0x81, 0x82, 0x83, 0x84],
  // Figures 191 and 192.
  logPages: [...Array.from({ length: 0x0f }, (_, i) => i + 1), 0x80, 0x81],
};

describe.each([
  { heading: "## Admin commands", id: "opcode", code: adminTable, spec: defined.admin },
  { heading: "## NVM commands", id: "opcode", code: ioCommands, spec: defined.nvm },
  { heading: "## Identify", id: "CNS", code: identifyStructures, spec: defined.cns },
  { heading: "## Features", id: "id", code: features, spec: defined.features },
  { heading: "## Log pages", id: "id", code: logPages, spec: defined.logPages },
])("$heading", ({ heading, id, code, spec }) => {
  const rows = table(heading);
  it("lists as supported exactly what the code dispatches", () => {
    expect(listed(rows, id, "✅")).toEqual([...code.keys()].sort((a, b) => a - b));
  });

  it("has all that NVMe 1.4 defines, in order", () => {
    const ids = rows.map(row => number(row[id]));
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(ids).toEqual(expect.arrayContaining(spec));
  });

  it("calls things by the names of the code", () => {
    for (const row of rows) {
      const entry = code.get(number(row[id]));
      if (typeof entry === "object") expect(row.command ?? row.feature ?? row.page).toContain(entry.name);
    }
  });
});

it("what is listed as missing is refused: commands, CNS values, features and log pages", async () => {
  const rig = await Rig.create();
  rig.enable();
  const statusOf = async (opcode: number, cdw10: number) =>
    (await rig.command({ opcode, nsid: 1, prp1: rig.alloc(PAGE), cdw: [cdw10] })).status & 0x3fff;
  for (const opcode of listed(table("## Admin commands"), "opcode", "❌")) {
    expect(await statusOf(opcode, 0), `opcode ${opcode}`).toBe(0x001);
  }
  for (const cns of listed(table("## Identify"), "CNS", "❌")) expect(await statusOf(0x06, cns)).toBe(0x002);
  for (const id of listed(table("## Features"), "id", "❌")) {
    expect(await statusOf(0x0a, id)).toBe(0x002);
    expect(await statusOf(0x09, id)).toBe(0x002);
  }
  for (const id of listed(table("## Log pages"), "id", "❌")) expect(await statusOf(0x02, id)).toBe(0x109);
});

describe("## Registers", () => {
  const rows = table("## Registers");
  const names = Object.fromEntries(rows.map(row => [row.register, number(row.offset)]));

  it("has the registers that the code has, where the code has them", () => {
    expect(names).toMatchObject(Register);
    for (const row of rows) if (row.state.startsWith("✅")) expect(Register).toHaveProperty(row.register);
  });

  it("what is listed as missing reads as zero, whatever is written", async () => {
    const rig = await Rig.create();
    rig.enable();
    for (const row of rows.filter(({ state }) => state.startsWith("❌"))) {
      const offset = number(row.offset);
      for (const value of [-1, 0x4e564d65]) rig.write(offset, value);
      rig.pump();
      expect([rig.read(offset), rig.csts], row.register).toEqual([0, 1]);
    }
  });
});

describe.each([
  { heading: "### Identify Controller", cns: 0x01 },
  { heading: "### Identify Namespace", cns: 0x00 },
])("$heading", ({ heading, cns }) => {
  it("has each field's value, and no other byte is set", async () => {
    const rig = await Rig.create();
    rig.enable();
    const page = rig.alloc(PAGE);
    expect((await rig.command({ opcode: 0x06, nsid: 1, prp1: page, cdw: [cns] })).status).toBe(0);
    const data = rig.slice(page, PAGE);
    const rest = data.slice();
    for (const { bytes, field, value } of table(heading)) {
      const [last, first = last] = bytes.split(":").map(Number);
      rest.fill(0, first, last + 1);
      const actual = [...data.slice(first, last + 1)].reverse();
      const hex = `${actual.map(byte => byte.toString(16).padStart(2, "0")).join("")}h`.toUpperCase();
      if (/^[0-9A-F]+h$/.test(value)) expect(hex.replace(/H$/, "h"), field).toBe(value);
    }
    expect([...rest.entries()].filter(([, byte]) => byte !== 0)).toEqual([]);
  });
});

it("names for each thing that is there a test that is there", () => {
  const headings = ["## Admin commands", "## NVM commands", "## Identify", "## Features", "## Log pages"];
  for (const row of [...headings, "## Registers", "## Controller"].flatMap(table)) {
    if (!row.state.startsWith("✅")) continue;
    const references = row["shown by"].split("; ").map(each => /^`([^`]+)` (.+)$/.exec(each));
    for (const reference of references) {
      if (!reference) throw new Error(`no test is named for ${JSON.stringify(row)}`);
      const [, path, title] = reference;
      const file = new URL(/^(e2e|src)\//.test(path) ? path : `src/devices/nvme/${path}`, root);
      expect(existsSync(file), path).toBe(true);
      expect(readFileSync(file, "utf8"), path).toContain(title);
    }
  }
});
