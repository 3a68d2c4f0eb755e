import { choiceIn } from "../src/app/benchmark/choice.ts";
import type { Report } from "../src/app/benchmark/report.ts";
import { booted, counters, exec, expect, test } from "./browser.ts";
import { isFirefox } from "./browser_under_test.ts";

const freshName = "nvme mmio dbbuf msix";

test("the benchmark measures this guest and a fresh one, and its figures are the guest's own", async ({
  persistent,
}) => {
  const query = new URLSearchParams({
    bench: "quick",
    benchSystems: `this,${freshName}`,
    benchJobs: "read-4k",
  });
  const page = await persistent.open(`/?${query}`);
  if (!isFirefox) await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await booted(page);
  await exec(page, "echo kept | dd of=/dev/nvme0n2 bs=4096 conv=sync,fsync");
  const view = page.getByRole("region", { name: "Benchmark" });
  const run = view.getByRole("button", { name: "Run" });
  const cancel = view.getByRole("button", { name: "Cancel" });
  const status = view.getByRole("status").first();
  const copied = async (what: "Link" | "JSON" | "Markdown") => {
    await view.getByRole("button", { name: new RegExp(`^Copy ${what}$`, "i") }).click();
    await expect(view).toContainText(`${what} copied`);
    return await page.evaluate(() => navigator.clipboard.readText());
  };

  await test.step("the address has chosen, and nothing has started", async () => {
    await expect(view.getByLabel("read 4k", { exact: true })).toBeChecked();
    await expect(view.getByLabel(freshName)).toBeChecked();
    await expect(view.getByLabel("read 1M", { exact: true })).not.toBeChecked();
    await expect(cancel).toBeDisabled();
    // There is no report yet that could be copied.
    await expect(view.getByRole("button", { name: "Copy Markdown" })).toBeHidden();
    expect(await copied("Link")).toContain("benchJobs=read-4k");
  });

  await test.step("what would be overwritten must be allowed", async () => {
    await view.getByLabel("write 4k", { exact: true }).check();
    await expect(run).toBeDisabled();
    await view.getByLabel(/Overwrite the scratch disk of this guest/).check();
    await expect(run).toBeEnabled();
    await view.getByLabel("write 4k", { exact: true }).uncheck();
    await expect(run).toBeEnabled();
    await view.getByLabel("write 4k", { exact: true }).check();
    await view.getByLabel(/Overwrite the scratch disk of this guest/).uncheck();
    await view.getByLabel("write 4k", { exact: true }).uncheck();
  });

  await test.step("it can be cancelled while it warms up", async () => {
    await run.click();
    await expect(status).toContainText("this guest: warming up, read 4k:", { timeout: 60_000 });
    await cancel.click();
    await expect(view.getByRole("alert")).toContainText("Cancelled");
    await expect(run).toBeEnabled();
  });

  await test.step("it runs to its end", async () => {
    await run.click();
    // Other views can be looked at meanwhile.
    await page.getByRole("tab", { name: "Faults" }).click();
    await page.getByRole("tab", { name: "Benchmark" }).click();
    await expect(status).toContainText(`${freshName}: measuring`, { timeout: 120_000 });
    await expect(view.locator(".rates tbody tr")).toHaveCount(2, { timeout: 60_000 });
    await expect(run).toBeEnabled({ timeout: 60_000 });
    await expect(view.getByRole("alert")).toHaveCount(0);
  });

  await test.step("each figure agrees with the guest's own dd line", async () => {
    const report = JSON.parse(await copied("JSON")) as Report;
    expect(report.results.map(({ name, failure }) => [name, failure])).toEqual([
      ["this", undefined],
      [freshName, undefined],
    ]);
    const rows = view.locator(".rates tbody tr");
    for (const [i, { runs, rows: figures }] of report.results.entries()) {
      const counted = runs["read-4k"];
      expect(counted).toHaveLength(5);
      for (const { figure, line, hostMs } of counted) {
        // "8388608 bytes (8.4 MB, 8.0 MiB) copied, 0.4 s, 21.0 MB/s": dd's own figure, to three digits.
        const [, number, unit] = /, ([\d.]+) ([kMG])B\/s$/.exec(line) ?? [];
        const bytes = Number(number) * { k: 1e3, M: 1e6, G: 1e9 }[unit as "k" | "M" | "G"];
        expect(Math.abs((figure * 4096) / bytes - 1)).toBeLessThan(0.05);
        // No figure is better than the browser's clock allows.
        const guestMs = (2048 / figure) * 1000;
        expect(guestMs).toBeLessThan(hostMs * 1.05);
      }
      const median = counted.map(({ figure }) => figure).sort((a, b) => a - b)[2];
      const shown = (await rows.nth(i).locator(".count").textContent()) ?? "";
      expect(Math.abs(Number.parseFloat(shown) / median - 1)).toBeLessThan(0.05);
      await expect(rows.nth(i).locator(".latencies")).toHaveText(/^[\d.,]+ (µs|ms) \/ [\d.,]+ (µs|ms)$/);
      const exits = figures.find(({ metric }) => metric === "mmio-exits");
      expect(exits?.median).toBeGreaterThanOrEqual(0);
    }
    console.log(
      report.results
        .map(({ name, runs }) => `${name}: ${runs["read-4k"].map(r => Math.round(r.figure)).join(" ")} IOPS`)
        .join("; "),
    );
  });

  await test.step("Markdown and link say the same", async () => {
    const markdown = await copied("Markdown");
    expect(markdown).toContain(`| ${freshName} | `);
    expect(markdown).toMatch(/\d logical cores; Doorbell \d/);
    const address = new URL(await copied("Link"));
    expect(choiceIn(address.search)).toEqual({
      thoroughness: "quick",
      systems: ["this", freshName],
      jobs: ["read-4k"],
    });
  });

  await test.step("this guest has its disks still, as they were", async () => {
    const { output } = await exec(page, "dd if=/dev/nvme0n2 bs=4 count=1 2>/dev/null");
    expect(output).toBe("kept");
    expect((await counters(page)).errors).toBe(0);
  });
});
