/** A panel beside the terminal, or below it on a narrow page, with a border between them that can be moved. */
import { type Dispose, element } from "../dom.ts";
import { keep, kept } from "../kept.ts";

const STORAGE_KEY = "doorbell-panel";
/** Share of the page that the panel takes, in percent. */
const LIMITS = { min: 20, max: 75, initial: 42, step: 4 } as const;

export interface Split {
  /** Opens the panel and mounts a view into it. */
  open(mount: (el: HTMLElement, close: () => void) => Dispose): void;
  close(): void;
  readonly isOpen: boolean;
}

/** `main` holds the terminal; `changed` is called when the panel opens or closes. */
export function makeSplit(main: HTMLElement, changed: (isOpen: boolean) => void): Split {
  const panel = element("div", { class: "panel", id: "panel" });
  const border = element("div", {
    class: "panel-border",
    role: "separator",
    tabindex: "0",
    "aria-label": "Size of the panel",
    "aria-controls": panel.id,
    "aria-valuemin": String(LIMITS.min),
    "aria-valuemax": String(LIMITS.max),
  });
  panel.hidden = true;
  border.hidden = true;
  main.append(border, panel);
  let dispose: Dispose | undefined;

  const isBelow = () => getComputedStyle(main).flexDirection === "column";
  const resize = (percent: number) => {
    const size = Math.round(Math.min(LIMITS.max, Math.max(LIMITS.min, percent)));
    main.style.setProperty("--panel-size", `${size}%`);
    border.setAttribute("aria-valuenow", String(size));
    border.setAttribute("aria-orientation", isBelow() ? "horizontal" : "vertical");
    return size;
  };
  let size = resize(remembered());
  const take = (percent: number) => {
    size = resize(percent);
    keep(STORAGE_KEY, String(size));
  };

  border.addEventListener("pointerdown", down => {
    border.setPointerCapture(down.pointerId);
    const move = (event: PointerEvent) => {
      const box = main.getBoundingClientRect();
      const share = isBelow()
        ? (box.bottom - event.clientY) / box.height
        : (box.right - event.clientX) / box.width;
      take(share * 100);
    };
    border.addEventListener("pointermove", move);
    const end = () => border.removeEventListener("pointermove", move);
    border.addEventListener("pointerup", end, { once: true });
    border.addEventListener("pointercancel", end, { once: true });
  });
  border.addEventListener("keydown", event => {
    const larger = event.key === "ArrowLeft" || event.key === "ArrowUp";
    if (!larger && event.key !== "ArrowRight" && event.key !== "ArrowDown") return;
    event.preventDefault();
    take(size + (larger ? LIMITS.step : -LIMITS.step));
  });

  const split: Split = {
    get isOpen() {
      return dispose !== undefined;
    },
    open(mount) {
      split.close();
      panel.hidden = false;
      border.hidden = false;
      resize(size);
      dispose = mount(panel, () => split.close());
      changed(true);
    },
    close() {
      if (!dispose) return;
      dispose();
      dispose = undefined;
      panel.hidden = true;
      border.hidden = true;
      changed(false);
    },
  };
  return split;
}

function remembered(): number {
  const size = Number(kept(STORAGE_KEY));
  return size >= LIMITS.min && size <= LIMITS.max ? size : LIMITS.initial;
}
