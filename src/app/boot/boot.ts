/**
 * Boot progress: one line in the bar that says what goes on, and over the terminal, on demand and while booting, a waterfall of
 * where the time went.
 */
import type { BootStage, BootStageTiming, Machine, SnapshotOrigin } from "../../machine/api.ts";
import { button, type Dispose, element, setText } from "../dom.ts";
import { formatBytes, formatMs, formatSeconds } from "../format.ts";
import { startAgain } from "../setup/change.ts";
import { type Bar, layOut, presentStage, stageOrder, type Waterfall } from "./waterfall.ts";

const names: Record<BootStage, { readonly label: string; readonly doing: string }> = {
  images: { label: "Images", doing: "Fetching images" },
  disks: { label: "Disks", doing: "Opening disks" },
  restore: { label: "Restored from a snapshot", doing: "Going on from a snapshot" },
  firmware: { label: "Firmware", doing: "Firmware" },
  bootloader: { label: "Boot loader", doing: "Boot loader" },
  kernel: { label: "Kernel", doing: "Kernel starts" },
  userspace: { label: "Userspace", doing: "Userspace starts" },
};

interface Row {
  readonly row: HTMLElement;
  readonly fill: HTMLElement;
  readonly time: HTMLElement;
  readonly bytes: HTMLElement;
}

/** Mounts the boot line into `el` and its panel, which lies over the terminal, into `panelEl`. */
export function mountBoot(el: HTMLElement, panelEl: HTMLElement, machine: Machine): Dispose {
  const line = element("span", { class: "boot-line" });
  const toggle = element(
    "button",
    { type: "button", class: "quiet", "aria-expanded": "true", "aria-controls": "boot-panel" },
    line,
    element("span", { class: "chevron", "aria-hidden": "true" }),
  );
  const fromDisk = machine.settings.boot === "disk";
  const rows = new Map(stageOrder.map(stage => [stage, makeRow(stage)]));
  const resumed = element(
    "p",
    { class: "resumed" },
    "Nothing was written to the disks yet, so this machine did not boot: it goes on from a snapshot, shipped with the page, of one that had. ",
    button("Boot it instead", () => void startAgain(machine, withStartBoot(location.search)), {
      title: "Watch firmware, kernel and userspace start (the address gets start=boot)",
    }),
  );
  const panel = element(
    "section",
    { id: "boot-panel", class: "boot-panel", "aria-label": "Boot stages" },
    element("ol", {}, ...[...rows.values()].map(({ row }) => row)),
    resumed,
  );
  // What changes many times a second is no news; a change of stage is.
  const announcement = element("span", { class: "visually-hidden", role: "status" });
  el.replaceChildren(toggle, announcement);
  panelEl.replaceChildren(panel);

  let stages: readonly BootStageTiming[] = machine.bootStages;
  /** Where stages that never ended are cut off, once the boot is over one way or the other. */
  let endedAt: number | undefined;
  let frame = 0;

  const open = (isOpen: boolean) => {
    panel.hidden = !isOpen;
    toggle.setAttribute("aria-expanded", String(isOpen));
  };

  /** What a boot goes through, or a machine that goes on from a snapshot. */
  const chooseRows = () => {
    const isRestore = stages.some(({ stage }) => stage === "restore");
    for (const [stage, { row }] of rows) {
      const ofRestore = stage === "restore" || stage === "images" || stage === "disks";
      row.hidden = isRestore ? !ofRestore : stage === "restore" || (stage === "bootloader" && !fromDisk);
    }
  };

  const draw = () => {
    chooseRows();
    resumed.hidden = machine.restoredFrom !== "shipped";
    const waterfall = layOut(stages, (endedAt ?? performance.now()) - machine.startedAt);
    drawRows(rows, waterfall, machine.state === "failed");
    const text = summary(machine, waterfall);
    setText(line, text.line);
    setText(announcement, text.announcement);
  };

  const tick = () => {
    draw();
    frame = machine.state === "booting" ? requestAnimationFrame(tick) : 0;
  };
  const drawSoon = () => {
    if (frame === 0) frame = requestAnimationFrame(tick);
  };

  const onState = () => {
    if (machine.state === "booting") {
      endedAt = undefined;
      stages = machine.bootStages;
      open(true);
    } else {
      endedAt ??= performance.now();
      stages = machine.bootStages;
      // After a failure the panel stays: it shows how far the boot came.
      if (machine.state !== "failed") open(false);
    }
    drawSoon();
  };
  const off = [
    machine.on("state", onState),
    machine.on("boot", list => {
      // Firmware and boot loader speak to the user, on the terminal behind the panel.
      if (fromDisk && begins("firmware", list, stages)) open(false);
      stages = list;
      drawSoon();
    }),
  ];
  toggle.addEventListener("click", () => open(panel.hidden === true));
  const closeOnEscape = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      open(false);
      toggle.focus();
    }
  };
  el.addEventListener("keydown", closeOnEscape);
  onState();

  return () => {
    for (const dispose of off) dispose();
    cancelAnimationFrame(frame);
    el.removeEventListener("keydown", closeOnEscape);
    el.replaceChildren();
    panelEl.replaceChildren();
  };
}

/** The query, asking for a boot. */
function withStartBoot(query: string): string {
  const search = new URLSearchParams(query);
  search.set("start", "boot");
  return `?${search}`;
}

function begins(
  stage: BootStage,
  now: readonly BootStageTiming[],
  before: readonly BootStageTiming[],
): boolean {
  const among = (stages: readonly BootStageTiming[]) => stages.some(timing => timing.stage === stage);
  return among(now) && !among(before);
}

function makeRow(stage: BootStage): Row {
  const fill = element("span", { class: "fill" });
  const time = element("span", { class: "time" });
  const bytes = element("span", { class: "bytes" });
  const row = element(
    "li",
    {},
    element("span", { class: "stage-name" }, names[stage].label, " ", bytes),
    element("span", { class: "track", "aria-hidden": "true" }, fill),
    time,
  );
  return { row, fill, time, bytes };
}

function drawRows(rows: ReadonlyMap<BootStage, Row>, { bars }: Waterfall, failed: boolean): void {
  for (const bar of bars) {
    const { row, fill, time, bytes } = rows.get(bar.stage)!;
    const phase = phaseOf(bar, failed);
    row.dataset.phase = phase;
    fill.style.setProperty("--left", `${bar.leftPercent}%`);
    fill.style.setProperty("--width", `${bar.widthPercent}%`);
    setText(time, phase === "waiting" ? "–" : `${phase === "failed" ? "✕ " : ""}${formatMs(bar.durationMs)}`);
    setText(bytes, describeBytes(bar));
  }
}

function phaseOf({ startMs, going }: Bar, failed: boolean): "waiting" | "going" | "failed" | "done" {
  if (startMs === undefined) return "waiting";
  if (!going) return "done";
  return failed ? "failed" : "going";
}

function howItStarted(from: SnapshotOrigin | undefined, ms: number): string {
  if (from === "shipped") return `Resumed from a snapshot in ${Math.round(ms)} ms`;
  return `${from === "own" ? "Restored from a snapshot" : "Booted"} in ${formatSeconds(ms)}`;
}

function describeBytes({ loaded, total, going }: Bar): string {
  if (loaded === undefined) return "";
  return total !== undefined && going
    ? `${formatBytes(loaded)} of ${formatBytes(total)}`
    : formatBytes(loaded);
}

function summary(machine: Machine, waterfall: Waterfall): { line: string; announcement: string } {
  switch (machine.state) {
    case "booting": {
      const stage = presentStage(waterfall)?.stage;
      const doing = stage === undefined ? "Starting" : names[stage].doing;
      return { line: `${doing} · ${formatSeconds(waterfall.totalMs)}`, announcement: doing };
    }
    case "running":
    case "stopped": {
      const booted = howItStarted(machine.restoredFrom, waterfall.totalMs);
      return { line: booted, announcement: machine.state === "running" ? booted : "" };
    }
    case "failed":
      return { line: "Boot stages", announcement: "" };
    case "new":
    case "blocked":
      return { line: "Not started", announcement: "" };
  }
}
