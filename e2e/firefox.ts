/**
 * Starts Debian's Firefox (set FIREFOX to use another one) under Playwright, by WebDriver BiDi, the browser's own protocol:
 * Playwright's own Firefox is a patched build that this project does not want to depend on.
 *
 * Playwright 1.65 and Firefox 153 misunderstand each other in two kinds of messages. All messages go through the WebSocket
 * class that Playwright carries with it, so an interpreter stands there.
 */
import { createRequire } from "node:module";

/** A command, its answer, or an event: what is looked at here. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Playwright sends it to each new context, also when there is nothing to override; Firefox does not know it, and nothing starts. */
const MEDIA_FEATURES = "emulation.setMediaFeaturesOverride";

/** What a Firefox that knew the command would answer; undefined where Firefox is to answer itself. */
function answerFor({ id, method, params }: Message): object | undefined {
  if (method !== MEDIA_FEATURES) return undefined;
  // A test that asks for the dark scheme must fail, rather than look at the light one.
  const isOverride = Object.values(params?.features ?? {}).some(
    value => value !== null && value !== undefined,
  );
  return isOverride ? undefined : { type: "success", id, result: {} };
}

/** How the names of the events of a download begin. */
const DOWNLOAD = "browsingContext.download";

/** Playwright ignores a download that has no identity, and Firefox gives none to one that a page begins: its address is one. */
function identified(event: Message): Message {
  const { navigation, url } = event.params ?? {};
  return { ...event, params: { ...event.params, download: navigation ?? url } };
}

/** What is used of the WebSocket class. */
interface Socket {
  send(data: unknown, ...rest: unknown[]): void;
  emit(event: string, ...args: unknown[]): boolean;
}

function interpret({ prototype }: { readonly prototype: Socket }): void {
  const { send, emit } = prototype;
  prototype.send = function (this: Socket, data, ...rest) {
    const command = parse(data, MEDIA_FEATURES);
    const answer = command && answerFor(command);
    if (!answer) return send.call(this, data, ...rest);
    // Not before Playwright waits for it.
    setImmediate(() => emit.call(this, "message", encode(answer), false));
  };
  prototype.emit = function (this: Socket, event, ...args) {
    const [data, ...rest] = args;
    const message = event === "message" ? parse(data, DOWNLOAD) : undefined;
    if (!message?.method?.startsWith(DOWNLOAD)) return emit.call(this, event, ...args);
    return emit.call(this, event, encode(identified(message)), ...rest);
  };
}

/** Only a message that mentions the name: there are many others, some of megabytes. */
function parse(data: unknown, name: string): Message | undefined {
  const text = typeof data === "string" ? data : Buffer.isBuffer(data) ? data.toString() : "";
  return text.includes(name) ? (JSON.parse(text) as Message) : undefined;
}

const encode = (message: object): Buffer => Buffer.from(JSON.stringify(message));

const { ws } = createRequire(import.meta.url)("playwright-core/lib/utilsBundle") as {
  readonly ws?: { readonly prototype: Socket };
};
if (!ws)
  throw new Error(
    "This Playwright has another WebSocket: look where the interpreter of e2e/firefox.ts can stand now.",
  );
interpret(ws);

export const firefoxLaunch = {
  /** A Firefox that is not patched. */
  channel: "moz-firefox",
  executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
  /** No override, so that MEDIA_FEATURES asks for nothing. */
  colorScheme: null,
  firefoxUserPrefs: {
    /** A page may use the clipboard without a question to the user. */
    "dom.events.testing.asyncClipboard": true,
  },
};
