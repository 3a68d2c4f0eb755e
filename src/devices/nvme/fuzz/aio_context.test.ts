import { expect, it } from "vitest";
import { AioContext } from "../../../eventloop/aio_context.ts";
import { Rig, transfer } from "../testing/driver.ts";

it("works from an AioContext as it does by hand", async () => {
  const { rig, io } = await Rig.withShadow({}, 8);
  const context = new AioContext({
    notifier: rig.shared.serverNotifier,
    turn: () => new Promise(resolve => setImmediate(resolve)),
    now: () => performance.now(),
    counters: rig.shared.counters,
    pollMaxUs: 50,
  });
  context.addHandler(rig.server);
  const running = context.run();
  const cids = new Set<number>();
  for (let done = 0; done < 300; ) {
    while (done + cids.size < 300 && (io.tail + 1) % 8 !== io.sqHead) {
      const data =
        done % 7 === 3
          ? { opcode: 0, nsid: 1 }
          : transfer(done % 2 === 0 ? 1 : 2, done % 100, 1, { prp1: 0x180000 });
      cids.add(io.submit(data));
    }
    await new Promise(resolve => setImmediate(resolve));
    await rig.scheduler.advance(0);
    rig.controller.safePoint(true);
    for (const { cid, status } of io.reap()) {
      expect([cids.delete(cid), status]).toEqual([true, 0]);
      done += 1;
    }
  }
  context.stop();
  await running;
  expect(rig.bugs).toEqual([]);
});
