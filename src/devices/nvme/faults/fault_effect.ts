/**
 * What a fault makes of a completion, on its way from the serving side to the vCPU thread, which alone posts completions,
 * raises interrupts and has the registers.
 */
export const FaultEffect = {
  none: 0,
  /** It counts as posted and is not. */
  drop: 1,
  /** It is posted twice. */
  duplicate: 2,
  /** It is posted, and an interrupt follows that nothing stands behind. */
  interrupt: 3,
  /** It is not posted: the controller fails, or is gone. */
  fatal: 4,
  remove: 5,
} as const;

export type FaultEffect = (typeof FaultEffect)[keyof typeof FaultEffect];
