/** The table of docs/browsers.md: a row for each file of e2e tests. */
import type { Outcome } from "./results.ts";
import { count } from "./results.ts";

/** What each file shows, in the order of the table. */
export const features: readonly (readonly [file: string, feature: string])[] = [
  ["first_light", "First visit: boot to the shell, typing, nvme-cli, the guest's tools"],
  ["instant", "Instant start from the shipped snapshot"],
  ["modes", "Serving modes × shadow doorbells × interrupts, fio's checksums, reset, single steps"],
  ["peers", "virtio-blk, virtio-scsi, IDE as the scratch disk"],
  ["workload", "fio verifies 512 MiB at depth 16; a million I/Os"],
  ["durability", "What was synced survives reload, SIGKILL, reset, reboot"],
  ["crash", "SIGKILL in the middle of writes, again and again"],
  ["interruptions", "Tab closed, page reloaded, worker ended, reset in the middle of writes"],
  ["workers", "Workers that end or throw in the middle of writes"],
  ["disks", "Disks as files: export, import, CORS and Range streaming"],
  ["own_disks", "The Disks dialog: IndexedDB and OPFS, raw and qcow2, export, cancel"],
  ["thin", "Deallocated blocks give their room back"],
  ["quota", "No more room: told, bounded, mended"],
  ["owner", "One tab has the disks: copy, take-over, a tab that hangs"],
  ["snapshots", "Snapshots: suspend under load, restore, refusals"],
  ["robustness", "Controller resets under load, poweroff, panic, restarts that overlap"],
  ["namespaces", "Namespaces made, formatted, attached, detached, deleted"],
  ["nvme_cli", "nvme-cli through and through; sanitize, unbind, unplug"],
  ["faults", "The Faults panel: slow, failed, torn, hung requests"],
  ["settings", "Settings dialog and links"],
  ["queues", "Queues view against the guest's counters"],
  ["timing", "Timing view; CSV, Perfetto and fio exports; saved traces played"],
  ["lessons", "Slow motion and lessons"],
  ["course", "The course's commands"],
  ["benchmark", "Benchmark panel: figures agree with the guest's"],
  ["idle", "An idle guest leaves the computer idle"],
  ["library", "The npm package's examples, from the packed tarball"],
  ["own_machines", "Own machines: dropped disk, IDE, screen, keyboard, links to images"],
  ["firmware_boot", "SeaBIOS and GRUB boot from the NVMe disk"],
  ["network", "The guest's network, when its user says so"],
  ["hosting", "Host without headers, under a sub-path; offline; a new version"],
  ["page", "The page: refusals, status line, desktop and phone"],
  ["craft", "Accessibility, size, long tasks"],
  ["soak", "Mixed reads and writes with verification, some seconds in each mode"],
];

/** `all` are the tests that there are, `outcomes` those of the run in Firefox. */
export function tableOf(all: readonly Outcome[], outcomes: readonly Outcome[]): string {
  const files = new Set(all.map(({ file }) => nameOf(file)));
  for (const [file] of features) files.delete(file);
  const rows = [...features, ...[...files].map(file => [file, file] as const)].map(([file, feature]) => {
    const inFile = ({ file: each }: Outcome) => nameOf(each) === file;
    const number = all.filter(inFile).length;
    return `| ${feature} | ${file} | ${number} | ${firefoxCell(outcomes.filter(inFile), number)} |`;
  });
  return ["| | e2e/*.spec.ts | Chromium | Firefox |", "|---|---|---|---|", ...rows, ""].join("\n");
}

const nameOf = (file: string) => file.replace(/\.spec\.ts$/, "");

function firefoxCell(outcomes: readonly Outcome[], number: number): string {
  if (outcomes.length === 0) return "not run";
  const { passed } = count(outcomes);
  const reasons = outcomes.flatMap(({ status, reason, leftOut }) => [
    ...(status === "skipped" ? [reason ?? "not reached"] : []),
    ...leftOut,
  ]);
  const failures = outcomes.filter(({ status }) => status === "failed").map(({ title }) => `fails: ${title}`);
  const result = passed === number ? `${number}` : `${passed} of ${number}`;
  const notRun = outcomes.length < number ? [`${number - outcomes.length} not run`] : [];
  return [result, ...notRun, ...new Set([...failures, ...reasons])].join("; ").replaceAll("|", "\\|");
}
