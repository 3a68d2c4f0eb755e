/** Places on a ring of queue entries: entry 0 at the top, going clockwise. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The place of an index (it may be fractional) at `radius` from the centre. */
export function pointAt(index: number, entries: number, radius: number): Point {
  const angle = (index / entries) * 2 * Math.PI;
  return { x: radius * Math.sin(angle), y: -radius * Math.cos(angle) };
}

/** Entries from `from` up to, not including, `to`, around the end of the queue. */
export function distance(from: number, to: number, entries: number): number {
  return (((to - from) % entries) + entries) % entries;
}

/**
 * An SVG path along the ring from index `from` clockwise to index `to`; empty when they are equal. A span too short to
 * see is drawn `leastDegrees` long.
 */
export function arc(from: number, to: number, entries: number, radius: number, leastDegrees = 2): string {
  const span = distance(from, to, entries);
  if (span === 0) return "";
  const least = (leastDegrees / 360) * entries;
  const drawn = Math.min(Math.max(span, least), entries * 0.9999);
  const start = pointAt(from, entries, radius);
  const end = pointAt(from + drawn, entries, radius);
  const large = drawn > entries / 2 ? 1 : 0;
  const place = ({ x, y }: Point) => `${round(x)} ${round(y)}`;
  return `M${place(start)}A${radius} ${radius} 0 ${large} 1 ${place(end)}`;
}

/** The `count` entries before `end`, oldest first, as far as the queue has so many. */
export function latest(end: number, entries: number, count: number): number[] {
  const shown = Math.min(count, entries);
  return Array.from({ length: shown }, (_, i) => distance(0, end - shown + i, entries));
}

const round = (value: number): number => Math.round(value * 100) / 100;
