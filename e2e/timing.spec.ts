import { readFileSync, writeFileSync } from "node:fs";
import type { TraceEvent } from "../src/trace/chrome_trace.ts";
import { nestingProblem } from "../src/trace/testing/nesting.ts";
import { booted, counters, exec, expect, fillNumber, test } from "./browser.ts";

test("the timing view counts each command, and its trace nests", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await page.getByRole("button", { name: "Views", exact: true }).click();
  await page.getByRole("tab", { name: "Timing" }).click();
  const view = page.getByRole("region", { name: "Timing" });
  const commands = view.locator(".figures-row dd").first();

  await test.step("the histogram has as many commands as the guest has sent", async () => {
    await view.getByRole("button", { name: "Clear" }).click();
    const before = await counters(page);
    await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=500 iflag=direct");
    const read = (await counters(page)).reads - before.reads;
    expect(read).toBeGreaterThanOrEqual(500);
    await view.getByRole("combobox", { name: /^Command/ }).selectOption({ label: "Read" });
    await expect(commands).toHaveText(read.toLocaleString("en-US"));
    const bars = await view.locator(".histogram .count").allTextContents();
    expect(bars.reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0)).toBe(read);
    await expect(view.locator(".figures-row dd").nth(1)).toHaveText(/^\d[\d.,]* (µs|ms)$/);
    await expect(view.locator(".phases tbody tr")).toHaveCount(10);
  });

  await test.step("the charts are a table, too", async () => {
    await view.getByText("as a table").click();
    const cells = view.locator(".time-table tbody td:nth-child(3)");
    await expect
      .poll(async () =>
        (await cells.allTextContents()).reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0),
      )
      .toBeGreaterThanOrEqual(500);
    await view.getByText("as a table").click();
  });

  await test.step("a filter leaves the faster ones out", async () => {
    await fillNumber(view.getByLabel("Slower than"), 100_000_000);
    await expect(commands).toHaveText("0");
    await fillNumber(view.getByLabel("Slower than"), 0);
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
      "posted_us,queue,command,cid,nsid,lba,blocks,status,doorbell_rung,latency_us,served_us,storage_us,interrupt_us,seen_us",
    );
    const reads = lines
      .map(line => line.split(","))
      .filter(([, , name, , nsid]) => name === "Read" && nsid === "2");
    expect(reads.map(([, , , , , lba]) => Number(lba)).slice(0, 3)).toEqual([0, 8, 16]);
    expect(reads.every(([, , , , , , blocks, status]) => blocks === "8" && status === "0")).toBe(true);
    // That the driver has read an answer is known but of the last ones.
    expect(reads.filter(([, , , , , , , , , , , , , seen]) => seen !== "").length).toBeGreaterThanOrEqual(
      490,
    );
  });

  const file = test.info().outputPath("trace.json");
  let reads = 0;
  await test.step("the trace has its tracks, and its spans nest", async () => {
    const text = await save("Perfetto JSON");
    writeFileSync(file, text);
    const { traceEvents } = JSON.parse(text) as { traceEvents: TraceEvent[] };
    const tracks = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args?.name);
    expect(tracks).toEqual(expect.arrayContaining(["vCPU", "iothread", "Queue 1"]));
    reads = traceEvents.filter(({ ph, name }) => ph === "b" && name === "Read").length;
    expect(reads).toBeGreaterThanOrEqual(500);
    expect(nestingProblem(traceEvents)).toBeUndefined();
  });

  await test.step("fio's log has a line for each read and write", async () => {
    const lines = (await save("fio log")).trim().split("\n");
    expect(lines.every(line => /^\d+, \d+, [01], \d+, \d+, 0$/.test(line))).toBe(true);
    const offsets = lines.map(line => line.split(", ").map(Number)).filter(([, , , bytes]) => bytes === 4096);
    expect(offsets.length).toBeGreaterThanOrEqual(500);
    expect(offsets.every(([, , , , offset]) => offset % 512 === 0)).toBe(true);
  });

  await test.step("beside the machine it is played, and one click leads back", async () => {
    await page.getByLabel("Trace file").setInputFiles(file);
    const player = page.getByRole("region", { name: "Saved trace" });
    await expect(player).toContainText("A saved trace, not the machine: trace.json");
    await view.getByRole("combobox", { name: /^Command/ }).selectOption({ label: "Read" });
    await expect(commands).toHaveText(reads.toLocaleString("en-US"));
    await player.getByRole("button", { name: "Back to the machine" }).click();
    await expect(player).toHaveCount(0);
    await expect(view).toBeVisible();
  });

  await test.step("a page without a machine plays it, with the same counts", async () => {
    await page.goto("/?trace");
    await page.getByLabel("Trace file").setInputFiles(file);
    expect(await page.evaluate(() => window.doorbell)).toBeUndefined();
    await view.getByRole("combobox", { name: /^Command/ }).selectOption({ label: "Read" });
    await expect(commands).toHaveText(reads.toLocaleString("en-US"));
    const again = JSON.parse(await save("Perfetto JSON"));
    expect(again).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });

  await test.step("it is played from the start, in both views", async () => {
    const player = page.getByRole("region", { name: "Saved trace" });
    const slider = player.getByRole("slider", { name: "Position" });
    await slider.press("Home");
    await expect
      .poll(async () => Number((await commands.textContent())?.replaceAll(",", "")))
      .toBeLessThan(50);
    await page.getByRole("tab", { name: "Queues" }).click();
    const queue = page.getByRole("region", { name: "Queue 1" });
    await expect(queue).toContainText("1024 entries");
    await player.getByLabel("Speed").selectOption("10 ×");
    await player.getByRole("button", { name: "Play" }).click();
    await expect(player.getByRole("button", { name: "Play" })).toBeVisible({ timeout: 60_000 });
    const entries = queue.getByRole("group", { name: /submission/ }).getByRole("button");
    await expect(entries.last()).toHaveAccessibleName(/answered/);
    await entries.last().click();
    await expect(page.locator(".entry-details")).toContainText("not its bytes");
  });

  await test.step("what is no trace of ours is refused with the reason, and the page goes on", async () => {
    const input = page.getByLabel("Trace file");
    const give = (text: string) =>
      input.setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await give('{"traceEvents":[]}');
    await expect(page.locator(".trace-opener")).toContainText("not saved by Doorbell");
    await give(readFileSync(file, "utf8").slice(0, -100));
    await expect(page.locator(".trace-opener")).toContainText("no complete JSON");
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(129 * 2 ** 20)], "large.json"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    });
    await expect(page.locator(".trace-opener")).toContainText("large.json cannot be opened. It has 129 MiB");
    await expect(page.getByRole("region", { name: "Saved trace" })).toBeVisible();
    await page.getByRole("button", { name: "Start the machine" }).click();
    await expect(page).not.toHaveURL(/trace/);
  });

  await test.step("the machine has booted anew: what comes from storage shows that it was waited for", async () => {
    await booted(page);
    if (!(await view.isVisible())) {
      await page.getByRole("button", { name: "Views", exact: true }).click();
      await page.getByRole("tab", { name: "Timing" }).click();
    }
    await view.getByRole("button", { name: "Clear" }).click();
    await exec(page, "dd if=/dev/nvme0n1 of=/dev/null bs=64k iflag=direct");
    const read = async () =>
      (await save("CSV"))
        .trim()
        .split("\n")
        .map(line => line.split(","))
        .filter(([, , name, , nsid]) => name === "Read" && nsid === "1")
        .map(fields => ({ served: Number(fields[10]), storage: Number(fields[11]) }));
    await expect
      .poll(async () => (await read()).filter(({ storage }) => storage > 0).length)
      .toBeGreaterThanOrEqual(3);
    for (const { served, storage } of await read()) expect(storage).toBeLessThanOrEqual(served);
    await expect(view.locator(".phases .legend")).toContainText("waits for storage");
  });
});
