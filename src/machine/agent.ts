import type { ExecResult } from "./api.ts";

/** Record separator: starts each record of the agent in the guest (guest/README.md). */
const RECORD = 0x1e;
const NEWLINE = 0x0a;
/** A record is short; a 1Eh that no newline follows within this many bytes is output of the command. */
const MAX_RECORD = 64;

interface Running {
  readonly id: string;
  readonly command: string;
  readonly startedAt: number;
  readonly output: Uint8Array[];
  readonly resolve: (result: ExecResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The page's end of the shell on the guest's second serial port. One command runs at a time, in the order of the
 * calls; the shell is the same one for all, so `cd` and variables persist.
 */
export class AgentClient {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #onReady: () => void;
  readonly #queue: Running[] = [];
  #running: Running | undefined;
  #listening = false;
  #isPaused = false;
  /** To be called when no command runs any more. */
  #onIdle: (() => void) | undefined;
  /** A probe that is under way: the answer it will have, the command that it was sent for, and what if that is lost. */
  #probe: { readonly record: string; readonly running: Running; readonly lost: () => void } | undefined;
  #nextId = 1;
  /** Bytes of a record that has begun and is not complete. */
  #partial: number[] | undefined;

  /** `send` writes to the serial port; `onReady` is called when the shell says that it listens. */
  constructor(send: (bytes: Uint8Array) => void, onReady: () => void) {
    this.#send = send;
    this.#onReady = onReady;
  }

  exec(command: string): Promise<ExecResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push(this.#newCommand(command, resolve, reject));
      this.#next();
    });
  }

  /**
   * Sends nothing more until resume(), though a command that runs comes to its end. Resolves with true when the shell waits for
   * the next one; with false when that takes longer than `limitMs`.
   */
  pause(limitMs: number): Promise<boolean> {
    this.#isPaused = true;
    if (!this.#running) return Promise.resolve(true);
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(false), limitMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** After pause(). */
  resume(): void {
    this.#isPaused = false;
    this.#onIdle = undefined;
    this.#next();
  }

  /** The shell is one that waits for a command already, in a machine that goes on from a snapshot; this one comes first. */
  wake(command: string): Promise<ExecResult> {
    this.#listening = true;
    return new Promise((resolve, reject) => {
      this.#queue.unshift(this.#newCommand(command, resolve, reject));
      this.#next();
    });
  }

  #newCommand(command: string, resolve: Running["resolve"], reject: Running["reject"]): Running {
    return { id: (this.#nextId++).toString(36), command, startedAt: 0, output: [], resolve, reject };
  }

  /** The machine is gone: what runs or waits is rejected. */
  close(reason: string): void {
    const waiting = this.#queue.splice(0);
    if (this.#running) waiting.unshift(this.#running);
    this.#running = undefined;
    this.#listening = false;
    for (const { reject } of waiting) reject(new Error(reason));
  }

  /** Bytes from the serial port. */
  receive(bytes: Uint8Array): void {
    let start = 0;
    for (let i = 0; i < bytes.length; i++) {
      if (this.#partial) {
        start = i + 1;
        // The 1Eh before was output; this one may start the record.
        if (bytes[i] === RECORD) {
          this.#notARecord();
          this.#partial = [RECORD];
          continue;
        }
        this.#partial.push(bytes[i]);
        if (bytes[i] === NEWLINE) this.#endOfRecord();
        else if (this.#partial.length > MAX_RECORD) this.#notARecord();
      } else if (bytes[i] === RECORD) {
        this.#running?.output.push(bytes.slice(start, i));
        this.#partial = [RECORD];
        start = i + 1;
      }
    }
    this.#running?.output.push(bytes.slice(start));
  }

  #endOfRecord(): void {
    const text = String.fromCharCode(...(this.#partial ?? []).slice(1, -1));
    if (text === "READY") {
      this.#partial = undefined;
      this.#listening = true;
      this.#onReady();
      if (this.#running) this.#sendProbe(this.#running, () => this.#rejectRunning());
      this.#next();
      return;
    }
    if (this.#probe !== undefined && text === this.#probe.record) {
      const { running: probed, lost } = this.#probe;
      this.#partial = undefined;
      this.#probe = undefined;
      if (this.#running === probed) lost();
      return;
    }
    const [id, status, ...rest] = text.split(" ");
    const running = this.#running;
    // All but the end of the id may be lost on the way to the shell; the command is whole then.
    if (!running || id === "" || !running.id.endsWith(id) || rest.length > 0 || !/^\d+$/.test(status)) {
      this.#notARecord();
      return;
    }
    this.#partial = undefined;
    this.#running = undefined;
    running.resolve({
      output: decode(running.output),
      exitCode: Number(status),
      ms: performance.now() - running.startedAt,
    });
    this.#next();
  }

  /**
   * Finds out whether the shell has a command: a second one that does nothing is answered after the first one, or alone.
   * Asked when a new shell has started while a command runs (it still waits in the tty, or the old shell had taken it),
   * and when what came may be the answer to the end of its line: ash's `read` begins anew, and forgets what it has read,
   * when a background process ends meanwhile.
   */
  #sendProbe(running: Running, lost: () => void): void {
    this.#probe = { running, record: `${running.id}p 0`, lost };
    this.#sendLine(`${running.id}p`, ":");
  }

  #rejectRunning(): void {
    this.#running?.reject(new Error("The command ended the automation shell; a new one has started."));
    this.#running = undefined;
    this.#next();
  }

  #sendAgain(running: Running): void {
    running.output.length = 0;
    this.#sendLine(running.id, running.command);
  }

  /** Output that happened to look like the start of a record, or an answer to a line that the shell got in part. */
  #notARecord(): void {
    const running = this.#running;
    running?.output.push(Uint8Array.from(this.#partial ?? []));
    this.#partial = undefined;
    if (running && !this.#probe) this.#sendProbe(running, () => this.#sendAgain(running));
  }

  #next(): void {
    if (this.#running) return;
    this.#onIdle?.();
    if (!this.#listening || this.#isPaused) return;
    const next = this.#queue.shift();
    if (!next) return;
    this.#running = { ...next, startedAt: performance.now() };
    this.#sendLine(next.id, next.command);
  }

  #sendLine(id: string, command: string): void {
    this.#send(new TextEncoder().encode(`${id} ${base64(new TextEncoder().encode(command))}\n`));
  }
}

function decode(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map(part => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
