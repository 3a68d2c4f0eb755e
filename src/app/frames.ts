import type { Dispose } from "./dom.ts";

/**
 * So often, in milliseconds, the views look at what happens. Each frame would be too dear: the machine needs the cores that
 * drawing takes. The flight recorders hold as much as happens in between.
 */
export const LOOK_MS = 50;

/** Calls `draw` in an animation frame about every `ms` milliseconds, and not while the page is hidden. */
export function drawEvery(ms: number, draw: (now: number) => void): Dispose {
  let frame = 0;
  let timer = 0;
  const inFrame = (now: number) => {
    timer = window.setTimeout(() => {
      frame = requestAnimationFrame(inFrame);
    }, ms);
    draw(now);
  };
  frame = requestAnimationFrame(inFrame);
  return () => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}
