/** Reads one saved trace; the page goes on meanwhile. */
import { packRecords, readSavedTrace, SavedTraceError } from "../../trace/saved_trace.ts";
import type { ReadAnswer } from "./open_trace.ts";

self.onmessage = async (event: MessageEvent<File>) => {
  const answer = await read(event.data);
  self.postMessage(answer, { transfer: "words" in answer ? [answer.words.buffer] : [] });
};

async function read(file: File): Promise<ReadAnswer> {
  try {
    const { about, records } = readSavedTrace(await file.text());
    return { about, words: packRecords(records) };
  } catch (error) {
    if (error instanceof SavedTraceError) return { problem: error.message };
    return { problem: "The browser could not read it: it may have moved, or be too large for memory." };
  }
}
