import { saveAs } from "../save_as.ts";
import type { TraceFile } from "./trace_file.ts";

const files: Readonly<Record<TraceFile["as"], readonly [name: string, type: string]>> = {
  json: ["doorbell-trace.json", "application/json"],
  csv: ["doorbell-commands.csv", "text/csv"],
  fio: ["doorbell_lat.1.log", "text/plain"],
};

/** Saves records, as RecordLog has their words, in a file. Made in a worker: of a long recording it takes seconds. Rejects with a sentence. */
export async function saveTrace(words: Int32Array<ArrayBuffer>, file: TraceFile): Promise<void> {
  const worker = new Worker(new URL("./trace_file.worker.ts", import.meta.url), { type: "module" });
  try {
    const blob = await new Promise<Blob>((resolve, reject) => {
      worker.onmessage = (event: MessageEvent<Blob>) => resolve(event.data);
      worker.onerror = () =>
        reject(
          new Error("The file could not be made: its program did not load, or memory is short. Try again."),
        );
      worker.postMessage([words, file], [words.buffer]);
    });
    const [name, type] = files[file.as];
    saveAs(blob.slice(0, blob.size, type), name);
  } finally {
    worker.terminate();
  }
}
