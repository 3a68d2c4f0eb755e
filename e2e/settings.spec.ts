import { booted, exec, expect, fillNumber, test } from "./browser.ts";

test("the settings tab starts the machine otherwise, keeps the data, and leads back to normal", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo kept > /root/kept"); // not synced
  await page.getByRole("button", { name: "Views", exact: true }).click();
  await page.getByRole("tab", { name: "Settings" }).click();
  const form = page.getByRole("form", { name: "Settings" });
  const start = form.getByRole("button", { name: "Start again" });

  await test.step("what the form says is the link", async () => {
    await expect(start).toBeDisabled();
    await form.getByLabel("Serving mode").selectOption("mmio");
    await form.getByLabel("Scratch disk on").selectOption({ label: "virtio-blk" });
    await form.getByLabel("Kernel arguments").fill("nvme_core.io_timeout=77");
    await expect(form.getByRole("link")).toHaveAttribute(
      "href",
      /\/\?serving=mmio&scratch=virtio-blk&kernel=nvme_core\.io_timeout%3D77$/,
    );
    await page.screenshot({ path: "test-results/settings.png" });
  });

  await test.step("what cannot be is not started", async () => {
    await fillNumber(form.getByLabel("Memory"), 7);
    await start.click();
    await expect(form.getByLabel("Memory")).toBeFocused();
    await fillNumber(form.getByLabel("Memory"), 128);
  });

  await test.step("the machine starts with them, and its disk is as it was", async () => {
    await Promise.all([page.waitForURL(/memory=128/), start.click()]);
    await booted(page);
    expect(await page.evaluate(() => window.doorbell?.settings.serving)).toBe("mmio");
    const { output } = await exec(
      page,
      "cat /root/kept /sys/module/nvme_core/parameters/io_timeout; ls /dev/vda",
    );
    expect(output.split("\n").slice(0, 3)).toEqual(["kept", "77", "/dev/vda"]);
  });

  await test.step("one click is back to normal, faults and speed as well", async () => {
    await page.evaluate(() => window.doorbell?.faults.arm({ action: "delay", ms: 1, command: "flush" }));
    await page.getByRole("button", { name: "Views", exact: true }).click();
    await page.getByRole("tab", { name: "Settings" }).click();
    await Promise.all([
      page.waitForURL(url => url.search === ""),
      form.getByRole("button", { name: "Back to normal" }).click(),
    ]);
    await booted(page);
    expect(await page.evaluate(() => window.doorbell?.settings.serving)).toBe("iothread+poll");
    expect(await page.evaluate(() => window.doorbell?.faults.list())).toEqual([]);
    const { output } = await exec(page, "cat /root/kept; free -m");
    expect(output).toMatch(/^kept\n/);
    await page.evaluate(() => window.doorbell?.faults.arm({ action: "delay", ms: 1, command: "flush" }));
    await page.getByRole("button", { name: "Views", exact: true }).click();
    // The view that was seen last.
    await expect(page.getByRole("tab", { name: "Settings" })).toHaveAttribute("aria-selected", "true");
    await form.getByRole("button", { name: "Back to normal" }).click();
    await expect.poll(() => page.evaluate(() => window.doorbell?.faults.list())).toEqual([]);
    expect(await page.evaluate(() => window.doorbell?.state)).toBe("running");
  });
});
