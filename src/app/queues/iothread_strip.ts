/** The iothread's last seconds as a strip: how much of each slice it was busy, polling, asleep. */
import { element, setText } from "../dom.ts";
import { colourOf } from "../palette.ts";
import { SLICES, type Slice } from "./state_history.ts";

const HEIGHT = 36;

export interface IothreadStrip {
  readonly root: HTMLElement;
  show(slices: readonly Slice[]): void;
}

export function makeIothreadStrip(): IothreadStrip {
  const canvas = element("canvas", { width: String(SLICES * 2), height: String(HEIGHT * 2), role: "img" });
  const text = element("p", { class: "strip-text" });
  const root = element("div", { class: "strip" }, canvas, text);
  const context = canvas.getContext("2d");

  return {
    root,
    show(slices) {
      if (!context) return;
      const [busy, polling] = [colourOf(canvas, "--busy-fill"), colourOf(canvas, "--polling-fill")];
      const { width, height } = canvas;
      const step = width / SLICES;
      context.clearRect(0, 0, width, height);
      for (const [i, slice] of slices.entries()) {
        const [busyHeight, pollingHeight] = [slice.busy * height, slice.polling * height];
        context.fillStyle = busy;
        context.fillRect(i * step, height - busyHeight, step, busyHeight);
        // Every other column is lighter: polling is striped, so that it is told from busy without its colour.
        context.globalAlpha = i % 2 === 0 ? 1 : 0.45;
        context.fillStyle = polling;
        context.fillRect(i * step, height - busyHeight - pollingHeight, step, pollingHeight);
        context.globalAlpha = 1;
      }
      const share = (of: (slice: Slice) => number) =>
        Math.round((slices.reduce((sum, slice) => sum + of(slice), 0) / SLICES) * 100);
      const [busyShare, pollingShare] = [share(slice => slice.busy), share(slice => slice.polling)];
      const words = `busy ${busyShare} % · polling ${pollingShare} % · asleep ${Math.max(0, 100 - busyShare - pollingShare)} %`;
      setText(text, words);
      canvas.setAttribute("aria-label", `The iothread in the last four seconds: ${words}`);
    },
  };
}
