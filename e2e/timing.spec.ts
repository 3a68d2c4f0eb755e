import { readFileSync } from "node:fs";
import { booted, counters, exec, expect, test } from "./browser.ts";

test("the timing view counts each command, and its trace nests", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await page.getByRole("button", { name: "Queues", exact: true }).click();
  await page.getByRole("tab", { name: "Timing" }).click();
  const view = page.getByRole("region", { name: "Timing" });
  const commands = view.locator(".figures-row dd").first();

  await test.step("the histogram has as many commands as the guest has sent", async () => {
    await view.getByRole("button", { name: "Clear" }).click();
    const before = await counters(page);
    await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=500 iflag=direct");
    const read = (await counters(page)).reads - before.reads;
    expect(read).toBeGreaterThanOrEqual(500);
    await view.getByLabel("Command").selectOption({ label: "Read" });
    await expect(commands).toHaveText(read.toLocaleString("en-US"));
    const bars = await view.locator(".histogram .count").allTextContents();
    expect(bars.reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0)).toBe(read);
    await expect(view.locator(".figures-row dd").nth(1)).toHaveText(/^\d[\d.,]* (µs|ms)$/);
    await expect(view.locator(".phases tbody tr")).toHaveCount(10);
  });

  await test.step("a filter leaves the faster ones out", async () => {
    await view.getByLabel("Slower than").fill("100000000");
    await expect(commands).toHaveText("0");
    await view.getByLabel("Slower than").fill("0");
  });

  const save = async (name: string): Promise<string> => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      view.getByRole("button", { name }).click(),
    ]);
    return readFileSync(await download.path(), "utf8");
  };

  await test.step("the CSV has a line for each command", async () => {
    await expect(commands).not.toHaveText("0");
    let lines: string[] = [];
    let head = "";
    // Linux may read on its own between the look and the saving.
    await expect(async () => {
      const shown = Number((await commands.textContent())?.replaceAll(",", ""));
      [head = "", ...lines] = (await save("CSV")).trim().split("\n");
      expect(lines).toHaveLength(shown);
    }).toPass({ timeout: 20_000 });
    expect(head).toBe(
      "posted_us,queue,command,cid,nsid,lba,blocks,status,doorbell_rung,latency_us,served_us",
    );
    const reads = lines
      .map(line => line.split(","))
      .filter(([, , name, , nsid]) => name === "Read" && nsid === "2");
    expect(reads.map(([, , , , , lba]) => Number(lba)).slice(0, 3)).toEqual([0, 8, 16]);
    expect(reads.every(([, , , , , , blocks, status]) => blocks === "8" && status === "0")).toBe(true);
  });

  await test.step("the trace has its tracks, and every span that begins ends", async () => {
    const { traceEvents } = JSON.parse(await save("Perfetto JSON")) as {
      traceEvents: { name: string; ph: string; id?: string; ts?: number; args?: { name?: string } }[];
    };
    const tracks = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args?.name);
    expect(tracks).toEqual(expect.arrayContaining(["vCPU", "iothread", "Queue 1"]));
    expect(traceEvents.filter(({ ph, name }) => ph === "b" && name === "Read").length).toBeGreaterThanOrEqual(
      500,
    );
    const depth = new Map<string, number>();
    for (const { ph, id = "" } of traceEvents) {
      if (ph === "b") depth.set(id, (depth.get(id) ?? 0) + 1);
      if (ph === "e") depth.set(id, (depth.get(id) ?? 0) - 1);
      expect(depth.get(id) ?? 0).toBeGreaterThanOrEqual(0);
    }
    expect([...depth.values()].every(open => open === 0)).toBe(true);
  });
});
