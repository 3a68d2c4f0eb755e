import { describe, expect, it } from "vitest";
import type { Rig } from "../testing/driver.ts";
import { code, enabled, getFeature, identify, Opcode, Sc, Select, setFeature } from "../testing/host.ts";

/** Features that a value can be given to without data in memory, with one that is not the default (5.21.1). */
const values: Readonly<Record<number, number>> = {
  1: 0x01020303,
  4: 300,
  5: 77,
  6: 0,
  8: 0x0504,
  10: 1,
  11: 0x1f,
  15: 60000,
  23: 1,
};

/** Figure 271: features that each I/O controller has. */
const mandatory = [0x01, 0x02, 0x04, 0x05, 0x07, 0x08, 0x09, 0x0a, 0x0b];

const supported = async (rig: Rig): Promise<number[]> => {
  const found = [];
  for (let id = 0; id < 256; id++) {
    if (code(await getFeature(rig, id, Select.supported)) === Sc.success) found.push(id);
  }
  return found;
};

describe("Get Features and Set Features (tnvme: GrpAdminGetFeatCmd, GrpAdminSetFeatCmd)", () => {
  it("5.21.1: the mandatory features are there, and the write cache's if there is one (Identify, VWC)", async () => {
    const rig = await enabled();
    const ids = await supported(rig);
    expect(ids).toEqual(expect.arrayContaining(mandatory));
    expect(ids.includes(0x06)).toBe(((await identify(rig, 0x01)).getUint8(525) & 1) !== 0);
    expect(ids.includes(0x0e)).toBe(((await identify(rig, 0x01)).getUint16(520, true) & (1 << 6)) !== 0);
    // Feature 00h is reserved.
    expect(ids).not.toContain(0);
  });

  it("5.13, 5.21: an identifier is known to Get and to Set Features, or to neither: Invalid Field in Command", async () => {
    const rig = await enabled();
    const ids = await supported(rig);
    for (let id = 0; id < 256; id++) {
      if (ids.includes(id)) continue;
      for (const opcode of [Opcode.getFeatures, Opcode.setFeatures]) {
        expect(code(await rig.command({ opcode, cdw: [id] })), `feature ${id}`).toBe(Sc.invalidField);
      }
    }
  });

  it("5.13: reserved values of SEL are refused", async () => {
    const rig = await enabled();
    for (const id of mandatory) {
      for (const select of [4, 5, 6, 7])
        expect(code(await getFeature(rig, id, select))).toBe(Sc.invalidField);
    }
  });

  it("5.13: before anything is set, current, saved and default values are the same", async () => {
    const rig = await enabled();
    for (const id of mandatory) {
      const answers = [];
      for (const select of [Select.current, Select.saved, Select.default]) {
        answers.push((await getFeature(rig, id, select)).result);
      }
      expect(new Set(answers).size, `feature ${id}`).toBe(1);
    }
  });

  it("5.21, 5.13: what is set is the current value; default and saved ones do not follow; a reset brings them back", async () => {
    const rig = await enabled();
    for (const [key, value] of Object.entries(values)) {
      const id = Number(key);
      const before = (await getFeature(rig, id)).result;
      expect(value).not.toBe(before);
      expect(code(await setFeature(rig, id, value)), `feature ${key}`).toBe(Sc.success);
      expect((await getFeature(rig, id)).result, `feature ${key}`).toBe(value);
      expect((await getFeature(rig, id, Select.default)).result).toBe(before);
      expect((await getFeature(rig, id, Select.saved)).result).toBe(before);
    }
    rig.disable();
    rig.enable();
    for (const key of Object.keys(values)) {
      const id = Number(key);
      expect((await getFeature(rig, id)).result).toBe((await getFeature(rig, id, Select.default)).result);
    }
  });

  it("5.13, 5.21: saveable is what Select says; Save of others is Feature Identifier Not Saveable, and sets nothing", async () => {
    const rig = await enabled();
    for (const [key, value] of Object.entries(values)) {
      const id = Number(key);
      const capabilities = (await getFeature(rig, id, Select.supported)).result;
      expect(capabilities & 4, "changeable").toBe(4);
      const before = (await getFeature(rig, id)).result;
      const answer = await setFeature(rig, id, value, true);
      expect(code(answer)).toBe(capabilities & 1 ? Sc.success : Sc.notSaveable);
      if ((capabilities & 1) === 0) expect((await getFeature(rig, id)).result).toBe(before);
    }
  });

  it("5.21.1: a value that is refused leaves the one before", async () => {
    const rig = await enabled();
    for (const [id, bad] of [
      [0x02, 31],
      [0x04, 300 | (3 << 20)],
      [0x05, 1 << 16],
      [0x07, 0xffff],
      [0x07, 0xffff0000],
      [0x09, 0xffff],
    ]) {
      const before = await getFeature(rig, id);
      expect(code(await setFeature(rig, id, bad)), `feature ${id}`).toBe(Sc.invalidField);
      expect(await getFeature(rig, id)).toMatchObject({ result: before.result });
    }
  });

  it("5.21.1.7: Number of Queues answers with what is granted, never more than was asked for and there is", async () => {
    const rig = await enabled();
    for (const [sqs, cqs] of [
      [0, 0],
      [3, 1],
      [0xfffe, 0xfffe],
    ]) {
      const { result } = await setFeature(rig, 0x07, (sqs | (cqs << 16)) >>> 0);
      expect(result & 0xffff).toBeLessThanOrEqual(sqs);
      expect(result >>> 16).toBeLessThanOrEqual(cqs);
      expect((await getFeature(rig, 0x07)).result).toBe(result);
    }
  });

  it("5.21.1.9: Interrupt Vector Configuration is asked for by vector", async () => {
    const rig = await enabled({ msixVectors: 4 });
    expect(code(await setFeature(rig, 0x09, 2 | (1 << 16)))).toBe(Sc.success);
    for (const vector of [0, 1, 2, 3]) {
      const { result } = await getFeature(rig, 0x09, Select.current, vector);
      expect(result).toBe(vector | (vector === 2 ? 1 << 16 : 0));
    }
    expect(code(await getFeature(rig, 0x09, Select.current, 4))).toBe(Sc.invalidField);
  });
});
