/**
 * One turn of this thread's own event loop, so that storage requests and messages get on. A MessageChannel round trip
 * takes 10-15 µs in Chromium; setTimeout(0) would cost 4 ms.
 */
export type EventLoopTurn = () => Promise<void>;

/** The part of a MessageChannel that is needed: the core is compiled without DOM types. */
interface Channel {
  readonly port1: { onmessage: ((event: never) => void) | null; close(): void };
  readonly port2: { postMessage(message: unknown): void };
}

export function createEventLoopTurn(channel: Channel): EventLoopTurn {
  let resolveTurn: (() => void) | undefined;
  let turn: Promise<void> | undefined;
  channel.port1.onmessage = () => {
    const resolve = resolveTurn;
    turn = undefined;
    resolve?.();
  };
  return () => {
    turn ??= new Promise<void>(resolve => {
      resolveTurn = resolve;
      channel.port2.postMessage(undefined);
    });
    return turn;
  };
}
