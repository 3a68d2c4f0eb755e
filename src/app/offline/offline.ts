/** Keeps the page in the browser, so that it works without a network, and tells when a new version has come. */
import type { Answer, Question } from "../../offline/version.ts";
import { activeWorker, ownVersion, registerWorker } from "./own_version.ts";

export interface OfflineStatus {
  /** All of the page is kept in the browser. */
  readonly complete: boolean;
  /** A sentence about it. */
  readonly detail: string;
}

const HOUR_MS = 3_600_000;
const PATIENCE_MS = 60_000;

/**
 * Starts the service worker, and lets it fetch what is not kept yet. `announce` is called, once, when the next load of the page will
 * be of another version. Never rejects.
 */
export async function keepOffline(announce: () => void): Promise<OfflineStatus> {
  const own = ownVersion();
  const registration = own === undefined ? undefined : await registerWorker();
  const worker = registration && (await activeWorker(registration, PATIENCE_MS));
  if (!registration || !worker) {
    return { complete: false, detail: "This page needs its server: the browser keeps no copy of it." };
  }
  let announced = false;
  const compare = async (present: ServiceWorker | null) => {
    if (!present || announced) return;
    const { id } = await ask(present, "version");
    if (id === own || announced) return;
    announced = true;
    announce();
  };
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener("controllerchange", () => void compare(serviceWorker.controller));
  void compare(serviceWorker.controller);
  // Browsers look for a new version when a page is loaded; this one may be open for days.
  setInterval(() => void registration.update().catch(() => {}), HOUR_MS);

  const { failure } = await ask(worker, "complete");
  return failure === undefined
    ? { complete: true, detail: "This page is kept in your browser whole: it starts without a network, too." }
    : { complete: false, detail: `This page needs its server: it could not be kept whole (${failure}).` };
}

function ask(worker: ServiceWorker, question: Question): Promise<Answer> {
  const { port1, port2 } = new MessageChannel();
  return new Promise(resolve => {
    port1.onmessage = ({ data }: MessageEvent<Answer>) => {
      port1.close();
      resolve(data);
    };
    worker.postMessage(question, [port2]);
  });
}
