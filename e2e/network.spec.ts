import { createHash } from "node:crypto";
import type { Page } from "@playwright/test";
import { booted, exec, expect, expectCleanKernelLog, stepNotInFirefox, test } from "./browser.ts";
import { Relay } from "./relay.ts";
import { WebHost } from "./web_host.ts";
import { WispRelay } from "./wisp_relay.ts";

const NO_WORKER_ROUTES = "its driver does not let a test answer what a worker asks";

/** Opens the page with a network that its user has chosen before. */
async function openWith(page: Page, relay: string): Promise<void> {
  await page.evaluate(permitted => localStorage.setItem("doorbell.network", permitted), relay);
  await page.goto(`/?network=${encodeURIComponent(relay)}`);
  await booted(page);
}

/** Fetches the file, and sends 512 KiB; both are checked at the other end. */
async function transfer(page: Page, origin: string, file: Uint8Array): Promise<void> {
  const startedAt = Date.now();
  const { output } = await exec(page, `wget -q -O - ${origin}/file | md5sum`);
  expect(output).toContain(createHash("md5").update(file).digest("hex"));
  const seconds = (Date.now() - startedAt) / 1000;
  console.log(`${origin}: ${(file.length / 1e6 / seconds).toFixed(2)} MB/s to the guest`);
  // nc closes its half at the end of its input, which Wisp and fetch take for the end of all.
  const { host, hostname, port } = new URL(origin);
  const { output: sums } = await exec(
    page,
    `dd if=/dev/urandom of=/tmp/up bs=64k count=8 2>/dev/null && md5sum </tmp/up && ` +
      `{ printf 'POST /up HTTP/1.0\\r\\nHost: ${host}\\r\\nContent-Length: 524288\\r\\n\\r\\n'; cat /tmp/up; sleep 4; } | nc ${hostname} ${port || 80}`,
  );
  const [sent, received] = sums.match(/[0-9a-f]{32}/g) ?? [];
  expect(received, sums).toBe(sent);
}

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

test("over Wisp the guest gets pages by address and by name; without its relay it goes on", async ({
  persistent,
}) => {
  const file = new Uint8Array(1 << 20).map((_, i) => (i * 7) ^ (i >> 8));
  const host = new WebHost(file);
  await host.start();
  let relay = await WispRelay.start();
  try {
    const page = await persistent.open();
    await page.waitForFunction(() => window.doorbell?.state === "running");
    const names: string[] = [];
    // No name leaves this machine: its answer is the page's own.
    await page.context().route("https://cloudflare-dns.com/**", async route => {
      const query = route.request().postDataBuffer() ?? Buffer.alloc(12);
      names.push(query.subarray(12).toString("latin1"));
      await route.fulfill({
        contentType: "application/dns-message",
        headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" },
        body: addressAnswer(query, [198, 51, 100, 7]),
      });
    });
    await openWith(page, relay.url);
    await test.step("a page, a file and an upload, through the relay", async () => {
      expect((await exec(page, "ip addr show eth0")).output).toContain("inet 192.168.86.100/24");
      const { output } = await exec(page, `wget -q -O - http://198.51.100.5:${host.port}/`);
      expect(output).toBe("A page\n");
      expect(relay.asked).toContain(`198.51.100.5:${host.port}`);
      await transfer(page, `http://198.51.100.5:${host.port}`, file);
    });

    await stepNotInFirefox("a name is asked of a DNS server over HTTPS", NO_WORKER_ROUTES, async () => {
      const { output } = await exec(page, `wget -q -O - http://doorbell.test:${host.port}/`);
      expect(output).toBe("A page\n");
      expect(names.join()).toContain("doorbell");
      expect(relay.asked).toContain(`198.51.100.7:${host.port}`);
      expect(host.asked.at(-1)).toBe(`GET / doorbell.test:${host.port}`);
    });

    await test.step("what nobody answers fails at once, and without the relay as well", async () => {
      const { output: closed } = await exec(page, "wget -O - http://198.51.100.5:1/ 2>&1", 1);
      expect(closed).toContain("error getting response");
      const { port } = relay;
      await relay.stop();
      const { output } = await exec(page, `wget -O - http://198.51.100.5:${host.port}/ 2>&1`, 1);
      expect(output).toContain("Connection refused");
      relay = await WispRelay.start(port);
      // It is looked for every ten seconds.
      await expect
        .poll(() => exec(page, `wget -q -O - http://198.51.100.5:${host.port}/ || true`), {
          timeout: 30_000,
        })
        .toMatchObject({ output: "A page\n" });
      await expectCleanKernelLog(page);
    });

    await test.step("over fetch(): HTTP on port 80, of sites that allow it", async () => {
      await openWith(page, "fetch");
      // v86's name for a port of this machine.
      const { output } = await exec(page, `wget -q -O - http://${host.port}.external/`);
      expect(output).toBe("A page\n");
      expect(host.asked.at(-1)).toBe(`GET / localhost:${host.port}`);
      await transfer(page, `http://${host.port}.external`, file);
      // Without TLS is with TLS, for all that are not this machine.
      const secure = page
        .context()
        .waitForEvent("request", request => request.url() === "https://doorbell.test/");
      await page.context().route("https://doorbell.test/**", route => route.abort());
      const { output: failed } = await exec(page, "wget -O - http://doorbell.test/ 2>&1", 1);
      expect(failed).toContain("502 Fetch Error");
      await secure;
      const { output: refused } = await exec(page, "wget -O - http://doorbell.test:8080/ 2>&1", 1);
      expect(refused).toContain("Connection refused");
      await expectCleanKernelLog(page);
    });
  } finally {
    await relay.stop();
    await host.stop();
  }
});

/** The answer to a DNS query for one address (RFC 1035): the query, with an answer that points back to its name. */
function addressAnswer(query: Buffer, address: readonly number[]): Buffer {
  const isA = query.readUInt16BE(query.length - 4) === 1;
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(isA ? 1 : 0, 6);
  if (!isA) return answer;
  return Buffer.concat([answer, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address])]);
}
