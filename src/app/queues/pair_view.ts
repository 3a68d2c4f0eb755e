/** A submission queue and its completion queue: two rings, their numbers, their latest entries. */
import type { QueueLook, QueuePairState, ShadowWords } from "../../devices/nvme/queue_inspector.ts";
import { decodeCqe, decodeSqe } from "../../devices/nvme/spec/decode.ts";
import { element, setText } from "../dom.ts";
import type { MarkedEntry } from "../slow_motion/happening.ts";
import { completionCells, submissionCells } from "./cells.ts";
import type { EntryDetails } from "./entry_details.ts";
import type { EntryStates } from "./entry_states.ts";
import { makeEntryStrip } from "./entry_strip.ts";
import type { Explainer } from "./explained.ts";
import { distance } from "./ring_geometry.ts";
import { type Marker, makeRing, markerIcon } from "./ring_view.ts";
import type { QueueTerm } from "./terms.ts";

export interface PairView {
  readonly root: HTMLElement;
  show(pair: QueuePairState, inspector: QueueLook, states: EntryStates, marked?: MarkedEntry): void;
}

export function makePairView(qid: number, explainer: Explainer, details: EntryDetails): PairView {
  const name = qid === 0 ? "Admin queue" : `Queue ${qid}`;
  let look: { pair: QueuePairState; inspector: QueueLook } | undefined;

  const sqStrip = makeEntryStrip(`submission queue ${qid}`, index => {
    const words = look?.inspector.sqe(qid, index);
    if (words) {
      details.show(
        `${name}: submission entry ${index}`,
        decodeSqe(qid, words),
        words,
        look?.inspector.knownFields,
      );
    }
  });
  const cqStrip = makeEntryStrip(`completion queue ${qid}`, index => {
    const cq = look?.pair.cq;
    const words = cq && look?.inspector.cqe(cq.id, index);
    if (words) {
      details.show(
        `${name}: completion entry ${index}`,
        decodeCqe(words),
        words,
        look?.inspector.knownFields,
      );
    }
  });
  const sq = half("Submission", "sq", sqStrip.root, explainer, [
    ["head", "sqHead", "head"],
    ["tail", "sqTail", "tail"],
    ["shadow", "sqShadow", "shadow"],
    ["eventIdx", "sqEventIdx", "EventIdx"],
    [undefined, "inFlight", "in flight"],
  ]);
  const cq = half("Completion", "cq", cqStrip.root, explainer, [
    ["head", "cqHead", "head"],
    ["tail", "cqTail", "tail"],
    ["shadow", "cqShadow", "shadow"],
    ["eventIdx", "cqEventIdx", "EventIdx"],
    [undefined, "phase", "phase"],
  ]);
  const size = element("span", { class: "size" });
  const root = element(
    "section",
    { class: "pair", "aria-label": name },
    element("h3", {}, name, " ", size),
    element("div", { class: "halves" }, sq.root, cq.root),
  );

  return {
    root,
    show(pair, inspector, states, marked) {
      look = { pair, inspector };
      setText(
        size,
        `${pair.sq.entries} entries` +
          (pair.cq && pair.cq.entries !== pair.sq.entries ? `, answers ${pair.cq.entries}` : ""),
      );
      sq.show(pair.sq, pair.sq.shadow, false, [
        pair.sq.head,
        pair.sq.tail,
        pair.sq.shadow?.doorbell,
        pair.sq.shadow?.eventIdx,
        pair.sq.inFlight,
      ]);
      const markedSq = marked?.queue === "sq" && marked.id === qid;
      const newest = (pair.sq.tail || pair.sq.entries) - 1;
      sqStrip.show(submissionCells(pair, inspector, states), markedSq ? (marked.index ?? newest) : undefined);
      if (!pair.cq) return;
      cq.show(pair.cq, pair.cq.shadow, true, [
        pair.cq.head,
        pair.cq.tail,
        pair.cq.shadow?.doorbell,
        pair.cq.shadow?.eventIdx,
        pair.cq.phase,
      ]);
      const markedCq = marked?.queue === "cq" && marked.id === pair.cq.id;
      cqStrip.show(completionCells(pair, inspector, states), markedCq ? marked.index : undefined);
    },
  };
}

type Row = readonly [marker: Marker | undefined, term: QueueTerm, label: string];

function half(
  title: string,
  term: QueueTerm,
  strip: HTMLElement,
  explainer: Explainer,
  rows: readonly Row[],
) {
  const ring = makeRing();
  const values = rows.map(() => element("dd", {}, "–"));
  const list = element(
    "dl",
    { class: "numbers" },
    ...rows.flatMap(([marker, rowTerm, label], i) => [
      element("dt", {}, explainer.label(rowTerm, label, ...(marker ? [markerIcon(marker)] : []))),
      values[i],
    ]),
  );
  const root = element(
    "div",
    { class: "half" },
    element("h4", {}, explainer.label(term, title)),
    element("div", { class: "ring-and-numbers" }, ring.root, list),
    strip,
  );
  return {
    root,
    show(
      queue: { readonly entries: number; readonly head: number; readonly tail: number },
      shadow: ShadowWords | undefined,
      showsLap: boolean,
      numbers: readonly (number | undefined)[],
    ) {
      const { entries, head, tail } = queue;
      const between = distance(head, tail, entries);
      const inRing = (index: number | undefined) =>
        index !== undefined && index < entries ? index : undefined;
      ring.show(
        {
          entries,
          head,
          tail,
          shadow: inRing(shadow?.doorbell),
          eventIdx: inRing(shadow?.eventIdx),
          showsLap,
        },
        `${title} queue: head ${head}, tail ${tail}, ${between} between them`,
      );
      for (const [i, value] of numbers.entries())
        setText(values[i], value === undefined ? "–" : String(value));
    },
  };
}
