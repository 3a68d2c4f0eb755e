import { type TraceReader, type TraceRecord, toRecords } from "../trace_ring.ts";

/** What a reader takes, as objects. */
export const takeRecords = (reader: TraceReader): TraceRecord[] => toRecords(reader.take());
