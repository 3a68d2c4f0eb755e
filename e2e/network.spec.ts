import { booted, exec, expect, expectCleanKernelLog, test } from "./browser.ts";
import { Relay } from "./relay.ts";

test("a link cannot connect the guest, its user can, and then it gets answers", async ({ persistent }) => {
  const relay = await Relay.start();
  try {
    const page = await persistent.open(`/?network=${encodeURIComponent(relay.url)}`);
    await test.step("a link that names a relay starts the machine without it, and asks", async () => {
      await booted(page);
      await exec(page, "ls /sys/class/net", 1);
      await expect(
        page.getByRole("alert").filter({ hasText: `would connect the guest to ${relay.url}` }),
      ).toBeVisible();
      expect(relay.connections).toBe(0);
    });

    await test.step("the user says yes: the guest has an address, and pings", async () => {
      await page.getByRole("button", { name: "Connect" }).click();
      await expect(
        page.getByRole("alert").filter({ hasText: `The guest has a network through ${relay.url}` }),
      ).toBeVisible({ timeout: 30_000 });
      await booted(page);
      expect((await exec(page, "ip addr show eth0")).output).toContain(`inet ${Relay.guest}/24`);
      const { output } = await exec(page, `ping -c 3 ${Relay.host}`);
      expect(output).toContain("3 packets received");
      console.log(output.trim().split("\n").at(-1));
      expect((await exec(page, "cat /etc/resolv.conf")).output).toContain(Relay.host);
      expect((await exec(page, "ip route")).output).toContain(`default via ${Relay.host}`);
    });

    await test.step("the card has its interrupt to itself, and the SSD works beside it", async () => {
      const { output } = await exec(page, "cat /proc/interrupts");
      expect(output).toMatch(/eth0$/m);
      expect(output).not.toMatch(/nvme.*eth0|eth0.*nvme/);
      await exec(
        page,
        `ping -c 5 ${Relay.host} >/dev/null & dd if=/dev/nvme0n2 of=/dev/null bs=64k count=256 iflag=direct; wait`,
      );
      await expectCleanKernelLog(page);
    });

    await test.step("after a reboot of the guest, too", async () => {
      await page.evaluate(() => window.doorbell?.restart());
      await exec(page, `ping -c 1 ${Relay.host}`);
      expect(relay.connections).toBeGreaterThanOrEqual(2);
    });
  } finally {
    await relay.stop();
  }
});
