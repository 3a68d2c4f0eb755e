/** A queue as a ring: what lies between head and tail, and markers for all that points into it. */
import { arc, pointAt } from "./ring_geometry.ts";

export type Marker = "head" | "tail" | "shadow" | "eventIdx";

export interface RingState {
  readonly entries: number;
  readonly head: number;
  readonly tail: number;
  readonly shadow: number | undefined;
  readonly eventIdx: number | undefined;
  /** Completion queues: entries below the tail have the present phase tag, the others that of the lap before. */
  readonly showsLap: boolean;
}

const RADIUS = 50;
const SVG = "http://www.w3.org/2000/svg";

/** Where each marker lies beside the ring: inside or outside, so that markers at one index stay apart. */
const markerRadius: Readonly<Record<Marker, number>> = { head: 37, tail: 63, shadow: 72, eventIdx: 50 };

export interface RingView {
  readonly root: SVGSVGElement;
  show(state: RingState, description: string): void;
}

export function makeRing(): RingView {
  const root = svg("svg", { viewBox: "-80 -80 160 160", class: "ring", role: "img" });
  const title = svg("title", {});
  const track = svg("circle", { r: String(RADIUS), class: "track" });
  const lap = svg("path", { class: "lap" });
  const span = svg("path", { class: "span" });
  const markers = {
    eventIdx: marker("eventIdx"),
    head: marker("head"),
    tail: marker("tail"),
    shadow: marker("shadow"),
  };
  root.append(title, track, lap, span, ...Object.values(markers));

  const place = (name: Marker, index: number | undefined, entries: number) => {
    const node = markers[name];
    const hidden = index === undefined;
    node.toggleAttribute("hidden", hidden);
    node.style.display = hidden ? "none" : "";
    if (index === undefined) return;
    const { x, y } = pointAt(index, entries, markerRadius[name]);
    const degrees = (index / entries) * 360;
    node.setAttribute(
      "transform",
      `translate(${x.toFixed(2)} ${y.toFixed(2)}) rotate(${degrees.toFixed(2)})`,
    );
  };

  let shown = "";
  return {
    root,
    show(state, description) {
      const { entries, head, tail, shadow, eventIdx, showsLap } = state;
      const key = `${entries},${head},${tail},${shadow},${eventIdx},${description}`;
      if (key === shown) return;
      shown = key;
      title.textContent = description;
      lap.setAttribute("d", showsLap ? arc(0, tail, entries, RADIUS, 0) : "");
      span.setAttribute("d", arc(head, tail, entries, RADIUS));
      place("head", head, entries);
      place("tail", tail, entries);
      place("shadow", shadow, entries);
      place("eventIdx", eventIdx, entries);
    },
  };
}

/** A marker alone, for the label that names it. */
export function markerIcon(name: Marker): SVGSVGElement {
  const icon = svg("svg", { viewBox: "-8 -8 16 16", class: "marker-icon", "aria-hidden": "true" });
  icon.append(marker(name));
  return icon;
}

/** Each has a shape of its own; colour only helps. Shapes point at the ring from where they lie. */
function marker(name: Marker): SVGElement {
  switch (name) {
    case "head":
      return svg("path", { class: "marker head", d: "M0 -7L6 5L-6 5Z" });
    case "tail":
      return svg("circle", { class: "marker tail", r: "5.5" });
    case "shadow":
      return svg("path", { class: "marker shadow", d: "M0 -6L6 0L0 6L-6 0Z" });
    case "eventIdx":
      return svg("path", { class: "marker event-idx", d: "M0 -8L0 8" });
  }
}

function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
