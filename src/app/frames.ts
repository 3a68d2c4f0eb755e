import type { Dispose } from "./dom.ts";

/**
 * So often, in milliseconds, the views look at what happens. Each frame would be too dear: the machine needs the cores that
 * drawing takes. The flight recorders hold as much as happens in between.
 */
export const LOOK_MS = 50;
/** Where more happens than anybody could follow. */
export const BUSY_LOOK_MS = 100;

/**
 * Calls `look` about every `ms()` milliseconds, and not while the page is hidden. What `look` returns draws, in the next
 * animation frame; it returns undefined when there is nothing to draw, as even a frame that changes nothing takes
 * milliseconds of the browser's time. All who look do so at multiples of their time since the page began, so that one
 * frame draws what several of them have to draw.
 */
export function lookEvery(ms: () => number, look: (now: number) => (() => void) | undefined): Dispose {
  let frame = 0;
  let timer = 0;
  const next = () => {
    const period = ms();
    timer = window.setTimeout(again, period - (performance.now() % period));
  };
  const again = () => {
    const draw = document.hidden ? undefined : look(performance.now());
    if (!draw) return next();
    frame = requestAnimationFrame(() => {
      next();
      draw();
    });
  };
  timer = window.setTimeout(again, 0);
  return () => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}

/** Does a new stretch of `ms` milliseconds, counted since the page began, lie between the two moments? */
export const hasTurned = (ms: number, before: number, now: number): boolean =>
  Math.floor(before / ms) !== Math.floor(now / ms);
