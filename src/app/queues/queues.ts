/**
 * The queue view: what the controller's queues, its doorbells and the iothread do now. It reads shared memory some
 * twenty times a second, and draws less often what nobody could follow; the machine records what it does only while a view like this one is open.
 */
import type { CounterName } from "../../trace/counters.ts";
import { TraceKind } from "../../trace/trace_ring.ts";
import { type Dispose, element, setText } from "../dom.ts";
import { formatTotal } from "../format.ts";
import { BUSY_LOOK_MS, hasTurned, LOOK_MS, lookEvery } from "../frames.ts";
import type { QueueHead } from "../slow_motion/control_strip.ts";
import type { Follower, Stretch, Watched } from "../watched.ts";
import { makeEntryDetails } from "./entry_details.ts";
import { EntryStates } from "./entry_states.ts";
import { type Explainer, makeExplainer } from "./explained.ts";
import { makeIothreadStrip } from "./iothread_strip.ts";
import { makePairView, type PairView } from "./pair_view.ts";
import { StateHistory } from "./state_history.ts";
import type { QueueTerm } from "./terms.ts";

/** Who prefers reduced motion sees the view move so often a second. */
const CALM_MS = 500;
/** Numbers that change faster than they can be read. */
const NUMBERS_MS = 250;
/**
 * When more commands than this pass in a second, nobody can follow them: then the whole view is drawn as seldom as iostat
 * prints. Style, layout, paint and raster of one drawing take 9 ms of the cores that the machine runs on.
 */
const FOLLOWED = 80;
const BUSY_MS = 1000;

const figures: readonly (readonly [CounterName, QueueTerm, string])[] = [
  ["doorbellsRung", "rung", "rung"],
  ["doorbellsElided", "elided", "elided"],
  ["doorbellsSwept", "swept", "swept"],
  ["commands", "commands", "commands"],
  ["interrupts", "interrupts", "interrupts"],
  ["mmioExits", "exits", "exits"],
];

export interface QueuesOptions {
  /** What stands above the queues. */
  readonly head?: QueueHead | undefined;
  readonly explainer?: Explainer;
}

/** Mounts the view into `el`. */
export function mountQueues(el: HTMLElement, machine: Watched, options: QueuesOptions = {}): Dispose {
  const { head, explainer = makeExplainer() } = options;
  const details = makeEntryDetails();
  const strip = makeIothreadStrip();
  const hasIothread = machine.settings.serving.startsWith("iothread");
  const values = new Map(figures.map(([counter]) => [counter, element("dd", {}, "0")]));
  const pairs = element("div", { class: "pairs" });
  const nothing = element("p", { class: "nothing" }, "The controller has no queues yet.");
  el.replaceChildren(
    element(
      "section",
      { class: "queues", "aria-label": "Queues" },
      ...(head ? [head.root] : []),
      element(
        "dl",
        { class: "doorbells" },
        ...figures.map(([counter, term, label]) =>
          element("div", {}, element("dt", {}, explainer.label(term, label)), values.get(counter)!),
        ),
      ),
      element(
        "div",
        { class: "iothread" },
        explainer.label("iothread", "iothread"),
        hasIothread ? strip.root : element("p", {}, "not used in this serving mode"),
      ),
      nothing,
      pairs,
      details.root,
      explainer.root,
    ),
  );

  const endObservation = machine.observe();
  const views = new Map<number, PairView>();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let observation: Stretch | undefined;
  let reader: Follower | undefined;
  let states = new EntryStates();
  let history = new StateHistory();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let numbersAt = Number.NEGATIVE_INFINITY;
  let lookedAt = Number.NEGATIVE_INFINITY;
  /** Commands that the controller has fetched since the last look. */
  let passed = 0;
  /** Has anything happened since the last drawing? Else only the iothread's strip moves. */
  let hasNews = true;
  /** More happens than anybody could follow, or did so less than BUSY_MS ago: between two runs of dd as well. */
  let busyUntil = Number.NEGATIVE_INFINITY;

  /** A new boot is another machine: nothing of the one before is of use. */
  const follow = () => {
    if (machine.observation === observation) return;
    observation = machine.observation;
    reader = machine.follow();
    states = new EntryStates();
    history = new StateHistory();
    hasNews = true;
    views.clear();
    pairs.replaceChildren();
    details.hide();
  };

  const read = () => {
    reader?.read(record => {
      hasNews = true;
      if (record.kind === TraceKind.state) history.enter(record.a, record.time);
      else states.add(record);
      if (record.kind === TraceKind.fetched) passed++;
      head?.see(record);
    });
    if (observation) history.advance(observation.now());
  };

  const drawPairs = () => {
    const present = observation?.queues.queuePairs() ?? [];
    nothing.hidden = present.length > 0;
    for (const [qid, view] of views) {
      if (present.some(pair => pair.qid === qid)) continue;
      view.root.remove();
      views.delete(qid);
    }
    // The I/O queues first: they are what moves.
    for (const pair of present.toSorted((a, b) => Number(a.qid === 0) - Number(b.qid === 0))) {
      let view = views.get(pair.qid);
      if (!view) {
        view = makePairView(pair.qid, explainer, details);
        views.set(pair.qid, view);
        pairs.append(view.root);
      }
      if (observation) view.show(pair, observation.queues, states, head?.marked);
    }
  };

  const drawNumbers = () => {
    const counters = machine.counters();
    for (const [counter, node] of values) {
      const value = counters[counter];
      setText(node, value === undefined ? "–" : formatTotal(value));
    }
  };

  const draw = () => {
    drawPairs();
    head?.show();
    if (!hasTurned(NUMBERS_MS, numbersAt, drawnAt)) return;
    numbersAt = drawnAt;
    drawNumbers();
    if (hasIothread) strip.show(history.slices());
  };

  const look = (now: number) => {
    follow();
    read();
    if (passed * 1000 > FOLLOWED * (now - lookedAt)) busyUntil = now + BUSY_MS;
    lookedAt = now;
    passed = 0;
    const every = calm.matches ? CALM_MS : now < busyUntil ? BUSY_MS : hasNews ? LOOK_MS : NUMBERS_MS;
    if (!hasTurned(every, drawnAt, now)) return undefined;
    drawnAt = now;
    hasNews = false;
    // Until the next frame there is time for it.
    observation?.queues.refresh();
    return draw;
  };
  const stop = lookEvery(() => (lookedAt < busyUntil ? BUSY_LOOK_MS : LOOK_MS), look);

  return () => {
    stop();
    endObservation();
    head?.dispose();
    el.replaceChildren();
  };
}
