import { describe, expect, it } from "vitest";
import { TraceKind } from "../../trace/trace_ring.ts";
import { EntryStates } from "./entry_states.ts";

const record = (kind: number, a: number, b = 0, c = 0) => ({ kind, time: 0, a, b, c, d: 0, e: 0 });
const fetched = (qid: number, index: number, cid: number) =>
  record(TraceKind.fetched, qid, index, 2 | (cid << 16));
const done = (qid: number, cid: number) => record(TraceKind.done, qid, 0, cid << 16);
const posted = (cq: number, index: number, sqid: number, cid: number) =>
  record(TraceKind.posted, cq, index, sqid | (cid << 16));

describe("EntryStates", () => {
  it("follows a command from its fetch to its completion", () => {
    const states = new EntryStates();
    expect(states.stateOf(1, 5)).toBe("unknown");
    states.add(fetched(1, 5, 40_000));
    expect(states.stateOf(1, 5)).toBe("fetched");
    states.add(done(1, 40_000));
    expect(states.stateOf(1, 5)).toBe("done");
    states.add(posted(2, 9, 1, 40_000));
    expect(states.stateOf(1, 5)).toBe("posted");
    expect(states.completedBy(2, 9)).toEqual({ sqid: 1, sqIndex: 5 });
  });

  it("tells queues apart", () => {
    const states = new EntryStates();
    states.add(fetched(1, 0, 7));
    states.add(fetched(2, 3, 7));
    states.add(posted(1, 0, 2, 7));
    expect([states.stateOf(1, 0), states.stateOf(2, 3)]).toEqual(["fetched", "posted"]);
  });

  it("goes on when records were lost", () => {
    const states = new EntryStates();
    states.add(posted(1, 0, 1, 3));
    expect(states.completedBy(1, 0)).toBeUndefined();
    states.add(fetched(1, 1, 3));
    states.add(fetched(1, 2, 3));
    expect([states.stateOf(1, 1), states.stateOf(1, 2)]).toEqual(["posted", "fetched"]);
  });
});
