import { expect, it } from "vitest";
import { EventHub } from "./event_hub.ts";

it("tells listeners until they go", () => {
  const hub = new EventHub();
  const heard: string[] = [];
  const off = hub.on("notice", message => heard.push(message));
  hub.emit("notice", "one");
  off();
  hub.emit("notice", "two");
  expect(heard).toEqual(["one"]);
});

it("keeps output for its first listener", () => {
  const hub = new EventHub();
  hub.output(Uint8Array.of(1));
  hub.output(Uint8Array.of(2));
  const [first, second]: number[][] = [[], []];
  hub.on("output", ([byte]) => first.push(byte));
  hub.on("output", ([byte]) => second.push(byte));
  hub.output(Uint8Array.of(3));
  expect([first, second]).toEqual([[1, 2, 3], [3]]);
});
