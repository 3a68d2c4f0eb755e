import type { MachineScreen, ScreenInput, ScreenRequest, ScreenUpdate } from "./screen_protocol.ts";

/** The page's end of the screen: each boot has a port of its own, and who watches goes on watching. */
export class ScreenLink implements MachineScreen {
  #port: MessagePort | undefined;
  #listener: ((update: ScreenUpdate) => void) | undefined;

  /** A boot begins; returns the worker's end. */
  connect(): MessagePort {
    this.#port?.close();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<ScreenUpdate>) => {
      this.#listener?.(data);
      // A page that is hidden draws no frames: it gets no further updates until it is seen again.
      requestAnimationFrame(() => this.#post({ kind: "ready" }, port1));
    };
    if (this.#listener) this.#post({ kind: "watch" });
    return port2;
  }

  watch(listener: (update: ScreenUpdate) => void): () => void {
    this.#listener = listener;
    this.#post({ kind: "watch" });
    return () => {
      if (this.#listener !== listener) return;
      this.#listener = undefined;
      this.#post({ kind: "unwatch" });
    };
  }

  send(input: ScreenInput): void {
    this.#post(input);
  }

  #post(request: ScreenRequest, port = this.#port): void {
    port?.postMessage(request);
  }
}
