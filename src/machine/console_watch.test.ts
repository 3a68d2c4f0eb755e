import { describe, expect, it } from "vitest";
import { ConsoleWatch } from "./console_watch.ts";

const SHELL = "\x1b]133;A\x07";
const RESCUE = "\x1b]133;A;rescue\x07";

function watch() {
  const found: boolean[] = [];
  let panics = 0;
  const console = new ConsoleWatch({ prompt: rescue => found.push(rescue), panic: () => panics++ });
  return {
    found,
    panics: () => panics,
    feed: (text: string) => console.receive(Buffer.from(text, "latin1")),
  };
}

describe("ConsoleWatch", () => {
  it.each([
    [SHELL, false],
    [RESCUE, true],
  ])("finds %j, cut anywhere", (mark, rescue) => {
    for (let cut = 0; cut <= mark.length; cut++) {
      const { found, feed } = watch();
      feed("Linux version 6.1\r\n\xff\xfe");
      feed(mark.slice(0, cut));
      feed(mark.slice(cut));
      expect(found).toEqual([rescue]);
    }
  });

  it("finds it byte by byte, and tells only once", () => {
    const { found, feed } = watch();
    for (const byte of `noise${SHELL}~ # ${RESCUE}`) feed(byte);
    expect(found).toEqual([false]);
  });

  it("hears of a kernel panic, once", () => {
    const { panics, feed } = watch();
    feed("[ 1.0] Kernel pan");
    expect(panics()).toBe(0);
    feed("ic - not syncing: sysrq triggered crash\r\n");
    feed("---[ end Kernel panic - not syncing: sysrq triggered crash ]---");
    expect(panics()).toBe(1);
  });

  it("is not taken in by other marks", () => {
    const { found, feed } = watch();
    feed("\x1b]133;B\x07 \x1b]133;A;cl=m\x07 ]133;A\x07 \x1b]133;A");
    feed(" \x07");
    expect(found).toEqual([]);
  });
});
