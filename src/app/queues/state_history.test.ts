import { describe, expect, it } from "vitest";
import { IothreadState } from "../../trace/counters.ts";
import { SLICE_US, SLICES, StateHistory } from "./state_history.ts";

describe("StateHistory", () => {
  it("shares each slice among the states", () => {
    const history = new StateHistory();
    history.advance(0);
    history.enter(IothreadState.busy, 0);
    history.enter(IothreadState.polling, SLICE_US / 4);
    history.enter(IothreadState.sleeping, SLICE_US / 2);
    history.enter(IothreadState.busy, SLICE_US);
    history.advance(1.5 * SLICE_US);
    const slices = history.slices();
    expect(slices).toHaveLength(SLICES);
    expect(slices.at(-2)).toEqual({ busy: 0.25, polling: 0.25 });
    expect(slices.at(-1)).toEqual({ busy: 0.5, polling: 0 });
    expect(slices.at(-3)).toEqual({ busy: 0, polling: 0 });
  });

  it("runs over the wrap of the clock, and over a pause longer than itself", () => {
    const history = new StateHistory();
    history.advance(2 ** 32 - SLICE_US / 2);
    history.enter(IothreadState.busy, 2 ** 32 - SLICE_US / 2);
    history.advance(SLICE_US / 2);
    expect(history.slices().at(-2)).toEqual({ busy: 1, polling: 0 });
    history.advance(SLICE_US * SLICES * 3);
    expect(history.slices().filter(({ busy }) => busy > 0.99)).toHaveLength(SLICES - 1);
  });

  it("takes no notice of a clock that is a little behind", () => {
    const history = new StateHistory();
    history.enter(IothreadState.busy, 1000);
    history.enter(IothreadState.sleeping, 900);
    history.advance(1000 + SLICE_US);
    expect(history.slices().every(({ busy }) => busy === 0)).toBe(true);
  });
});
