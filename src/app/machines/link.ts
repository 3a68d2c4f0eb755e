/**
 * Machines that a link describes, for example `?cdrom=https://example.org/a.iso&memory=256&bus=ide`. Nothing of them is
 * kept, and they have no disk of this browser: only images, by their addresses.
 */
import type { MachineSettings } from "../../machine/api.ts";
import { type ImageSource, type OwnMachine, problemOf } from "../../machine/own/own_machine.ts";
import { parseSettings } from "../settings.ts";
import { bootDevices, diskBuses, MEMORY, ownSettings } from "./own_settings.ts";

const imageParameters = ["cdrom", "floppy", "bzimage", "initrd", "disk"] as const;
/** What a link may say as for the built-in machine. */
const sharedParameters = [
  "interrupts",
  "serving",
  "shadow",
  "pollMaxUs",
  "haltPollMaxUs",
  "network",
] as const;
/** … and all that it may say besides images. */
const otherParameters = ["cmdline", "bus", "memory", "boot", "name", ...sharedParameters] as const;
const MAX_NAME = 80;
const MAX_COMMAND_LINE = 2000;

export interface LinkedMachine {
  readonly settings: MachineSettings;
  /** Other sites that images come from. */
  readonly foreignOrigins: readonly string[];
}

/** Reads a link; `page` is the page's address. The problems are sentences: with any, there is no machine. */
export function parseMachineLink(
  query: string,
  page: string,
): LinkedMachine | { readonly problems: readonly string[] } {
  const search = new URLSearchParams(query);
  const problems: string[] = [];
  const known: readonly string[] = [...imageParameters, ...otherParameters];
  for (const name of new Set(search.keys())) {
    if (known.includes(name)) continue;
    problems.push(
      `The address has “${shorten(name)}=…”, which means nothing here. Known are ${known.join(", ")}.`,
    );
  }
  const one = (name: string): string | undefined => {
    const texts = search.getAll(name);
    if (texts.length > 1) problems.push(`The address has ${name}=… ${texts.length} times; once is enough.`);
    return texts[0];
  };
  const refuse = (name: string, text: string, allowed: string) => {
    problems.push(`${name}=“${shorten(text)}” in the address: allowed is ${allowed}.`);
  };
  const address = (name: string, text: string): string | undefined => {
    const url = parseUrl(text, page);
    if (url === undefined) refuse(name, text, "an http or https address");
    return url;
  };
  const source = (name: string, text: string | undefined): ImageSource | undefined => {
    const url = text === undefined ? undefined : address(name, text);
    return url === undefined ? undefined : { kind: "url", url };
  };
  const cdrom = source("cdrom", one("cdrom"));
  const floppy = source("floppy", one("floppy"));
  const kernel = source("bzimage", one("bzimage"));
  const initrd = source("initrd", one("initrd"));
  const disks = search.getAll("disk").flatMap(text => address("disk", text) ?? []);

  const busText = one("bus") ?? "nvme";
  const bus = diskBuses.find(each => each === busText);
  if (!bus) refuse("bus", busText, diskBuses.join(", "));

  const memoryText = one("memory") ?? String(MEMORY.initial);
  const memoryMiB = Number(memoryText);
  if (!/^\d+$/.test(memoryText) || memoryMiB < MEMORY.least || memoryMiB > MEMORY.most) {
    refuse("memory", memoryText, `a whole number from ${MEMORY.least} to ${MEMORY.most} (MiB)`);
  }

  const bootText = one("boot") ?? bootDevices.join();
  const order = bootText.split(",");
  const bootOrder = bootDevices
    .filter(device => order.includes(device))
    .sort((a, b) => order.indexOf(a) - order.indexOf(b));
  if (bootOrder.length !== order.length) {
    refuse("boot", bootText, `some of ${bootDevices.join(", ")}, in the order to try, with commas between`);
  }

  const commandLine = one("cmdline") ?? "";
  if (!/^[\x20-\x7e]*$/.test(commandLine) || commandLine.length > MAX_COMMAND_LINE) {
    refuse("cmdline", commandLine, `up to ${MAX_COMMAND_LINE} printable ASCII characters`);
  }

  const shared = new URLSearchParams();
  for (const name of sharedParameters) {
    const text = one(name);
    if (text !== undefined) shared.set(name, text);
  }
  const base = parseSettings(`?${shared}`);
  problems.push(...base.notices.map(notice => notice.replace(/^Ignored /, "")));

  const own: OwnMachine = {
    name: (one("name") ?? "").slice(0, MAX_NAME) || "Machine of a link",
    cdrom,
    floppy,
    kernel,
    initrd,
    commandLine,
    disks: disks.map(url => ({ kind: "url", url })),
    bus: bus ?? "nvme",
    bootOrder,
  };
  const problem = problems.length === 0 ? problemOf(own) : undefined;
  if (problem !== undefined) problems.push(problem);
  if (problems.length > 0) return { problems };
  const interrupts = shared.has("interrupts") ? base.settings.interrupts : "intx";
  return {
    settings: ownSettings(own, { memoryMiB, interrupts }, base.settings),
    foreignOrigins: foreignOrigins(own, page),
  };
}

function foreignOrigins(
  { cdrom, floppy, kernel, initrd, disks }: OwnMachine,
  page: string,
): readonly string[] {
  const sources = [cdrom, floppy, kernel, initrd, ...disks];
  const origins = sources.flatMap(source => (source?.kind === "url" ? [new URL(source.url).origin] : []));
  return [...new Set(origins)].filter(origin => origin !== new URL(page).origin);
}

/** The absolute address, without a fragment; undefined for what is none, or is none of the web. */
export function parseUrl(text: string, page: string): string | undefined {
  if (text.trim() === "" || !URL.canParse(text, page)) return undefined;
  const url = new URL(text, page);
  url.hash = "";
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : undefined;
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
