/** Watches over a transfer, and ends it. */
export interface TransferControl {
  /** Aborted to cancel: the transfer rejects with TransferCancelled soon after and leaves nothing behind. */
  readonly signal: AbortSignal;
  /** Told now and then how far the transfer is, in bytes. */
  progress(doneBytes: number, totalBytes: number): void;
}

/** The transfer was cancelled by the one who asked for it. */
export class TransferCancelled extends Error {
  override readonly name = "TransferCancelled";

  constructor() {
    super("It was cancelled; nothing of it was kept.");
  }
}

/** Throws TransferCancelled once the transfer has been cancelled. */
export function checkCancelled({ signal }: Pick<TransferControl, "signal">): void {
  if (signal.aborted) throw new TransferCancelled();
}
