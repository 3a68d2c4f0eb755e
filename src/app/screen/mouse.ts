/** The page's mouse as the guest's, while it is locked to the picture: Esc, which is the browser's then, lets it out. */
import type { MachineScreen } from "../../machine/screen_protocol.ts";
import type { Dispose } from "../dom.ts";

/** What a notch of a wheel comes to in the units of wheel events. */
const PIXELS_PER_NOTCH = 100;
const LINES_PER_NOTCH = 3;

/** Browsers of phones cannot. */
export const canCapture = (): boolean => "requestPointerLock" in Element.prototype;

export interface Mouse {
  /** Puts the mouse into the machine, if the browser lets it: after a click or a key. */
  capture(): void;
  dispose: Dispose;
}

/** `changed` is told whether the machine has the mouse. */
export function makeMouse(
  stage: HTMLElement,
  screen: MachineScreen,
  changed: (isCaptured: boolean) => void,
): Mouse {
  const isCaptured = () => document.pointerLockElement === stage;
  let x = 0;
  let y = 0;
  let frame = 0;
  let notches = 0;

  /** One packet a frame: the guest's mouse sends no more than a hundred a second. */
  const flush = () => {
    frame = 0;
    if (x !== 0 || y !== 0) screen.send({ kind: "move", x, y });
    x = y = 0;
  };
  const onMove = (event: MouseEvent) => {
    if (!isCaptured()) return;
    x += event.movementX;
    y += event.movementY;
    if (frame === 0) frame = requestAnimationFrame(flush);
  };
  const onButton = (event: MouseEvent) => {
    if (!isCaptured()) return;
    event.preventDefault();
    flush();
    const { buttons } = event;
    screen.send({
      kind: "buttons",
      left: (buttons & 1) !== 0,
      middle: (buttons & 4) !== 0,
      right: (buttons & 2) !== 0,
    });
  };
  const onWheel = (event: WheelEvent) => {
    if (!isCaptured()) return;
    event.preventDefault();
    notches += event.deltaY / (event.deltaMode === event.DOM_DELTA_LINE ? LINES_PER_NOTCH : PIXELS_PER_NOTCH);
    const whole = Math.trunc(notches);
    notches -= whole;
    if (whole !== 0) screen.send({ kind: "wheel", notches: whole });
  };
  const onLock = () => {
    if (!isCaptured()) screen.send({ kind: "buttons", left: false, middle: false, right: false });
    changed(isCaptured());
  };
  const onContextMenu = (event: Event) => {
    if (isCaptured()) event.preventDefault();
  };
  stage.addEventListener("mousemove", onMove);
  stage.addEventListener("mousedown", onButton);
  stage.addEventListener("mouseup", onButton);
  stage.addEventListener("wheel", onWheel, { passive: false });
  stage.addEventListener("contextmenu", onContextMenu);
  document.addEventListener("pointerlockchange", onLock);
  return {
    capture() {
      if (!canCapture()) return;
      // Refused without a click or a key before it, or right after Esc: then nothing happens.
      Promise.resolve(stage.requestPointerLock()).catch(() => {});
    },
    dispose() {
      cancelAnimationFrame(frame);
      if (isCaptured()) document.exitPointerLock();
      document.removeEventListener("pointerlockchange", onLock);
    },
  };
}
