/** A file as a saved trace. */
import { MAX_TRACE_BYTES, type SavedTrace, SavedTraceError, unpackRecords } from "../../trace/saved_trace.ts";
import { formatBytes } from "../format.ts";

/** What the worker answers; words of records as packRecords() lays them out. */
export type ReadAnswer =
  | { readonly about: SavedTrace["about"]; readonly words: Float64Array<ArrayBuffer> }
  | { readonly problem: string };

/** Reads it in a worker: a large one takes a second. Rejects with a sentence for the user. */
export async function openTrace(file: File): Promise<SavedTrace> {
  if (file.size > MAX_TRACE_BYTES) {
    throw new SavedTraceError(
      `${file.name} cannot be opened. It has ${formatBytes(file.size)}; a trace has at most ${formatBytes(MAX_TRACE_BYTES)}.`,
    );
  }
  const worker = new Worker(new URL("./read_trace.worker.ts", import.meta.url), { type: "module" });
  try {
    const answer = await new Promise<ReadAnswer>((resolve, reject) => {
      worker.onmessage = (event: MessageEvent<ReadAnswer>) => resolve(event.data);
      worker.onerror = () =>
        reject(new SavedTraceError("The program that reads traces could not be loaded."));
      worker.postMessage(file);
    });
    if ("about" in answer) return { about: answer.about, records: unpackRecords(answer.words) };
    throw new SavedTraceError(`${file.name} cannot be opened. ${answer.problem}`);
  } finally {
    worker.terminate();
  }
}
