/** The status line: what the machine and its disks do now. Reads shared memory; asks for the disks once a second. */
import type { Machine, ServingMode } from "../../machine/api.ts";
import { IothreadState } from "../../trace/counters.ts";
import { type Dispose, element, setText } from "../dom.ts";
import { formatCount, formatMegabytes, formatTotal } from "../format.ts";
import { hasTurned, lookEvery } from "../frames.ts";
import { diskFigures } from "./disks.ts";
import { type Appearance, figure, numberFigure, sign } from "./figure.ts";
import { RateMeter } from "./rates.ts";
import { storageFigure } from "./storage.ts";

const sampleMs = 100;
const drawMs = 250;
const disksMs = 1000;
const sectorBytes = 512;

/** Mounts the status line. */
export function mountStatus(el: HTMLElement, machine: Machine): Dispose {
  const state = sign(8);
  const activity = activityFigures(machine);
  const list = element("dl", { class: "figures" });
  list.append(figure("state", "Machine", state.root), ...activity.roots);
  const disks = diskFigures(list);
  const storage = storageFigure(machine);
  list.append(storage.root);
  const hint = element("p", { class: "hint" }, element("kbd", {}, "F6"), " leaves the terminal");
  el.replaceChildren(list, hint);

  const meter = new RateMeter(500);
  let endSampling: Dispose = () => {};
  let disksTimer = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;

  const sample = (now: number) => {
    meter.add(now, machine.counters());
    if (!hasTurned(drawMs, drawnAt, now)) return undefined;
    drawnAt = now;
    return () => activity.show(meter);
  };

  const askDisks = async () => {
    try {
      if (machine.state === "booting" || machine.state === "running") disks.show(await machine.disks());
      await storage.look();
    } catch {
      // The worker is gone or not there yet; the state says so, and the next second asks again.
    }
    if (!stopped) disksTimer = window.setTimeout(askDisks, disksMs);
  };

  let stopped = true;
  const start = () => {
    if (!stopped) return;
    stopped = false;
    meter.clear();
    endSampling = lookEvery(() => sampleMs, sample);
    disksTimer = window.setTimeout(askDisks, 0);
  };
  const stop = () => {
    stopped = true;
    endSampling();
    clearTimeout(disksTimer);
  };
  const onVisibility = () => (document.hidden ? stop() : start());
  document.addEventListener("visibilitychange", onVisibility);
  const showState = () => state.show(...stateAppearance(machine));
  // That it goes on from a snapshot is known a moment after it has started.
  const off = [machine.on("state", showState), machine.on("boot", showState)];
  showState();
  onVisibility();

  return () => {
    stop();
    for (const dispose of off) dispose();
    document.removeEventListener("visibilitychange", onVisibility);
    el.replaceChildren();
  };
}

function stateAppearance(machine: Machine): Appearance {
  switch (machine.state) {
    case "new":
      return ["○", "idle", "new"];
    case "booting":
      return ["◐", "busy", goesOn(machine) ? "resuming" : "booting"];
    case "running":
      return machine.rescue ? ["▲", "bad", "rescue"] : ["●", "good", "running"];
    case "stopped":
      return ["■", "idle", "stopped"];
    case "blocked":
      return ["■", "bad", "blocked"];
    case "failed":
      return ["✕", "bad", "failed"];
  }
}

/** From a snapshot: it does not boot, and its prompt may be there already. */
const goesOn = ({ bootStages }: Machine): boolean => bootStages.some(({ stage }) => stage === "restore");

/** The figures that come from the counters. */
function activityFigures({ settings }: Machine) {
  const iothread = sign(8);
  const flush = sign(5);
  const pollTime = numberFigure("pollTime", "Poll µs", 5);
  const readMegabytes = numberFigure("read", "Read MB/s", 5);
  const readIops = numberFigure("read", "Read IOPS", 6);
  const writeMegabytes = numberFigure("write", "Write MB/s", 5);
  const writeIops = numberFigure("write", "Write IOPS", 6);
  const rung = numberFigure("rung", "Doorbells rung", 6);
  const elided = numberFigure("elided", "elided", 6);
  const swept = numberFigure("swept", "swept", 5);
  const interrupts = numberFigure("interrupts", "Interrupts/s", 6);
  const numbers = [readMegabytes, readIops, writeMegabytes, writeIops, rung, elided, swept, interrupts];
  const roots = [
    figure("iothread", "iothread", iothread.root),
    pollTime.root,
    figure("flush", "Flush", flush.root),
    ...numbers.map(({ root }) => root),
  ];

  const show = (meter: RateMeter) => {
    const latest = meter.latest;
    if (latest === undefined) return;
    const polls = settings.serving === "iothread+poll";
    iothread.show(...iothreadAppearance(settings.serving, latest.iothreadState));
    setText(pollTime.value, polls ? formatCount(latest.pollTimeUs) : "–");
    if (latest.flushesInProgress > 0) flush.show("◐", "busy", "going");
    else flush.show("○", "idle", "none");
    setText(readMegabytes.value, formatMegabytes(meter.perSecond("sectorsRead") * sectorBytes));
    setText(readIops.value, formatCount(meter.perSecond("reads")));
    setText(writeMegabytes.value, formatMegabytes(meter.perSecond("sectorsWritten") * sectorBytes));
    setText(writeIops.value, formatCount(meter.perSecond("writes")));
    setText(rung.value, formatTotal(latest.doorbellsRung));
    setText(elided.value, formatTotal(latest.doorbellsElided));
    setText(swept.value, formatTotal(latest.doorbellsSwept));
    setText(interrupts.value, formatCount(meter.perSecond("interrupts")));
  };
  return { roots, show };
}

function iothreadAppearance(serving: ServingMode, state: number): Appearance {
  if (serving === "mmio" || serving === "mainloop") return ["○", "idle", "not used"];
  switch (state) {
    case IothreadState.busy:
      return ["●", "busy", "busy"];
    case IothreadState.polling:
      return ["◐", "busy", "polling"];
    case IothreadState.sleeping:
      return ["○", "idle", "sleeping"];
    default:
      return ["■", "idle", "stopped"];
  }
}
