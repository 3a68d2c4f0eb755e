/**
 * Starts Debian's Firefox (set FIREFOX to use another one) under Playwright, by WebDriver BiDi: Playwright's own Firefox is a
 * patched build that this project does not want to depend on.
 */
import { createRequire } from "node:module";

/** What we need of the WebSocket class that Playwright talks to browsers with. */
interface Socket {
  send(data: unknown, ...rest: unknown[]): void;
  emit(event: string, ...args: unknown[]): boolean;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Playwright sends it to each new context, with no feature set; Firefox 153 does not know it, and nothing starts. */
const UNKNOWN_COMMAND = "emulation.setMediaFeaturesOverride";
/** Firefox 153 leaves these without an identity, and Playwright then leaves them out. */
const DOWNLOAD_EVENT = "browsingContext.download";

/** Stands between the two where they do not understand each other. */
function mediate({ prototype }: { readonly prototype: Socket }): void {
  const { send, emit } = prototype;
  prototype.send = function (this: Socket, data, ...rest) {
    const message = parse(data, UNKNOWN_COMMAND);
    if (message?.method !== UNKNOWN_COMMAND || !isNoOverride(message)) return send.call(this, data, ...rest);
    const answer = { type: "success", id: message.id, result: {} };
    setImmediate(() => emit.call(this, "message", Buffer.from(JSON.stringify(answer)), false));
  };
  prototype.emit = function (this: Socket, event, ...args) {
    const [data, ...rest] = args;
    const message = event === "message" ? parse(data, DOWNLOAD_EVENT) : undefined;
    if (!message?.method?.startsWith(DOWNLOAD_EVENT)) return emit.call(this, event, ...args);
    const params = { ...message.params, download: message.params?.navigation ?? message.params?.url };
    return emit.call(this, event, Buffer.from(JSON.stringify({ ...message, params })), ...rest);
  };
}

/** Without an override nothing is to be done, and Firefox's refusal is not needed. */
function isNoOverride({ params }: Message): boolean {
  return Object.values(params?.features ?? {}).every(value => value === null || value === undefined);
}

/** A message that is about something. */
function parse(data: unknown, subject: string): Message | undefined {
  const text = typeof data === "string" ? data : Buffer.isBuffer(data) ? data.toString() : "";
  return text.includes(subject) ? (JSON.parse(text) as Message) : undefined;
}

const { ws } = createRequire(import.meta.url)("playwright-core/lib/utilsBundle") as {
  readonly ws?: { readonly prototype: Socket };
};
if (!ws) throw new Error("This Playwright has another WebSocket: look where e2e/firefox.ts can stand now.");
mediate(ws);

export const firefoxLaunch = {
  /** The way to an unpatched Firefox. */
  channel: "moz-firefox",
  executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
  // No override.
  colorScheme: null,
  // Without a question to the user.
  firefoxUserPrefs: { "dom.events.testing.asyncClipboard": true },
};
