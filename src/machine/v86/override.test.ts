import { expect, it } from "vitest";
import { override } from "./override.ts";

class Base {
  name(): string {
    return "class";
  }
}

it("puts back a method of the class, and one of the object itself", () => {
  const object = new Base();
  const first = override(object, "name", () => "first");
  const second = override(object, "name", () => "second");
  expect(object.name()).toBe("second");
  second();
  expect(object.name()).toBe("first");
  first();
  expect(object.name()).toBe("class");
  expect(Object.hasOwn(object, "name")).toBe(false);
});
