import { describe, expect, it } from "vitest";
import { PromptWatch } from "./prompt_watch.ts";

const SHELL = "\x1b]133;A\x07";
const RESCUE = "\x1b]133;A;rescue\x07";

function watch() {
  const found: boolean[] = [];
  const prompt = new PromptWatch(rescue => void found.push(rescue));
  return { found, feed: (text: string) => prompt.receive(Buffer.from(text, "latin1")) };
}

describe("PromptWatch", () => {
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

  it("is not taken in by other marks", () => {
    const { found, feed } = watch();
    feed("\x1b]133;B\x07 \x1b]133;A;cl=m\x07 ]133;A\x07 \x1b]133;A");
    feed(" \x07");
    expect(found).toEqual([]);
  });
});
