/** Makes one file of a recording; the page goes on meanwhile. */
import { type TraceFile, traceFileText } from "./trace_file.ts";

self.onmessage = ({ data: [words, file] }: MessageEvent<readonly [words: Int32Array, file: TraceFile]>) => {
  self.postMessage(new Blob([traceFileText(words, file)]));
};
