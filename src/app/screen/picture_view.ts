/** The picture of the guest's screen: a canvas that fills what room there is, with its text above it to be selected and read. */
import type { ScreenFont, ScreenUpdate, TextUpdate } from "../../machine/screen_protocol.ts";
import { element, setText } from "../dom.ts";
import { blinks, drawText, linesOf, type Picture, textSize } from "./text_raster.ts";

/** Half a period of a VGA's blinking cursor: sixteen frames. */
const BLINK_MS = 267;
const FONT_FAMILY = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

export interface PictureView {
  readonly root: HTMLElement;
  /** In text mode there is text to select; in graphics mode the picture is the mouse's. */
  readonly isGraphical: boolean;
  /** The text screen's lines; none in graphics mode. */
  readonly text: string;
  update(update: ScreenUpdate): void;
  dispose(): void;
}

export function makePictureView(onMode: (isGraphical: boolean) => void): PictureView {
  const canvas = element("canvas", { width: "720", height: "400", "aria-hidden": "true" });
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("This browser gives no canvas to draw the screen on.");
  const text = element("pre", {
    class: "screen-text",
    "aria-label": "Text on the machine’s screen",
    tabindex: "0",
  });
  const root = element("div", { class: "picture" }, canvas, text);
  const calmed = matchMedia("(prefers-reduced-motion: reduce)");
  let shown: TextUpdate | undefined;
  let font: ScreenFont | undefined;
  let image: ImageData | undefined;
  let blinkOn = true;
  let isGraphical = false;

  const resize = (width: number, height: number) => {
    if (image?.width === width && image.height === height) return image;
    canvas.width = width;
    canvas.height = height;
    image = context.createImageData(width, height);
    layOut();
    return image;
  };

  /** As large as there is room for; whole pixels are drawn sharp, and others smooth, or their rows would differ. */
  const layOut = () => {
    const { clientWidth, clientHeight } = root;
    if (clientWidth === 0 || clientHeight === 0) return;
    const { width, height } = canvas;
    const fitting = Math.min(clientWidth / width, clientHeight / height);
    // Of device pixels: a whole multiple if that leaves little room unused.
    const whole = Math.floor(fitting * devicePixelRatio) / devicePixelRatio;
    const scale = whole >= fitting * 0.9 ? whole : fitting;
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
    canvas.classList.toggle("sharp", scale === whole || scale >= 2.5);
    layOutText(width * scale, height * scale);
  };

  const layOutText = (width: number, height: number) => {
    if (!shown || isGraphical) return;
    const cellHeight = height / shown.rows;
    const size = cellHeight * 0.75;
    text.style.width = `${width}px`;
    text.style.height = `${height}px`;
    text.style.font = `${size}px/${cellHeight}px ${FONT_FAMILY}`;
    text.style.letterSpacing = "0";
    const measuring = element("span", {}, "0".repeat(50));
    text.append(measuring);
    const advance = measuring.getBoundingClientRect().width / 50;
    measuring.remove();
    text.style.letterSpacing = `${width / shown.columns - advance}px`;
  };

  const drawShown = () => {
    if (!shown || !font || isGraphical) return;
    const size = textSize(shown, font);
    const into = resize(size.width, size.height);
    const picture: Picture = { ...size, pixels: new Uint32Array(into.data.buffer) };
    drawText(picture, shown, font, blinkOn);
    context.putImageData(into, 0, 0);
  };

  const setMode = (graphical: boolean) => {
    if (graphical === isGraphical) return;
    isGraphical = graphical;
    root.classList.toggle("graphical", graphical);
    if (graphical) {
      setText(text, "");
      text.hidden = true;
      canvas.removeAttribute("aria-hidden");
      canvas.setAttribute("role", "img");
    } else {
      text.hidden = false;
      canvas.setAttribute("aria-hidden", "true");
    }
    onMode(graphical);
  };

  const timer = setInterval(() => {
    if (!shown || isGraphical || document.hidden) return;
    if (calmed.matches || !blinks(shown)) {
      if (blinkOn) return;
      blinkOn = true;
    } else {
      blinkOn = !blinkOn;
    }
    drawShown();
  }, BLINK_MS);
  const observer = new ResizeObserver(layOut);
  observer.observe(root);

  return {
    root,
    get isGraphical() {
      return isGraphical;
    },
    get text() {
      return isGraphical || !shown ? "" : linesOf(shown).join("\n");
    },
    update(update) {
      setMode(update.kind === "pixels");
      if (update.kind === "text") {
        const resized = shown?.columns !== update.columns || shown.rows !== update.rows;
        shown = update;
        font = update.font ?? font;
        drawShown();
        setText(text, linesOf(update).join("\n"));
        if (resized) layOut();
        return;
      }
      const { width, height, top, pixels } = update;
      resize(width, height).data.set(pixels, top * width * 4);
      canvas.setAttribute("aria-label", `Graphics of ${width} × ${height} pixels on the machine’s screen`);
      if (image) context.putImageData(image, 0, 0, 0, top, width, pixels.length / (4 * width));
    },
    dispose() {
      clearInterval(timer);
      observer.disconnect();
    },
  };
}
