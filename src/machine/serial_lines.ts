import { AgentClient } from "./agent.ts";
import { ConsoleWatch } from "./console_watch.ts";

/** The page's ends of the guest's two serial ports. */
export interface SerialLines {
  readonly console: MessagePort;
  /** The automation shell behind the second one. */
  readonly agent: AgentClient;
}

/** What is heard on them. */
export interface SerialEvents {
  output(bytes: Uint8Array): void;
  /** Both the shell's prompt and the automation shell are there; `rescue`: the initramfs's shell. May be told again. */
  ready(rescue: boolean): void;
  /** Linux has panicked; its last words are out. */
  panic(): void;
}

/** The last words of a kernel come after what tells that it has panicked. */
const LAST_WORDS_MS = 200;

/** Listens on both ports. */
export function listenToGuest(
  console: MessagePort,
  automation: MessagePort,
  events: SerialEvents,
): SerialLines {
  let rescue: boolean | undefined;
  let agentReady = false;
  const reached = () => {
    if (rescue !== undefined && agentReady) events.ready(rescue);
  };
  const agent = new AgentClient(
    bytes => automation.postMessage(bytes),
    () => {
      agentReady = true;
      reached();
    },
  );
  automation.onmessage = (event: MessageEvent<Uint8Array>) => agent.receive(event.data);
  const watch = new ConsoleWatch({
    prompt: isRescue => {
      rescue = isRescue;
      reached();
    },
    panic: () => void setTimeout(() => events.panic(), LAST_WORDS_MS),
  });
  console.onmessage = (event: MessageEvent<Uint8Array>) => {
    events.output(event.data);
    watch.receive(event.data);
  };
  return { console, agent };
}
