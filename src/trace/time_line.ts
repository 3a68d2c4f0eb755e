/** Of what two threads tell, the later may come first: so far back, in microseconds, a next moment may lie. */
const DISORDER = 1_000_000;

/**
 * Moments on the trace's clock, given in turn, as microseconds since the first one: on and on where the clock wraps (71 minutes),
 * for gaps up to that.
 */
export function timeLine(): (moment: number) => number {
  let before: number | undefined;
  let sum = 0;
  return moment => {
    const step = (moment - (before ?? moment)) >>> 0;
    sum += step >= 2 ** 32 - DISORDER ? step - 2 ** 32 : step;
    before = moment;
    return sum;
  };
}
