import { booted, expect, notInFirefox, test } from "./browser.ts";
import { StaticServer } from "./static_server.ts";

// With service workers the page cures itself: hosting.spec.ts.
test("without isolation headers and service workers there is a sentence with the cure", async ({
  persistent,
}) => {
  const server = await StaticServer.start("dist", "/");
  try {
    const page = await persistent.open(server.url);
    const alert = page.getByRole("alert");
    await expect(alert).toContainText("not cross-origin isolated");
    await expect(alert).toContainText("Cross-Origin-Opener-Policy: same-origin");
    await expect(alert).toContainText("Cross-Origin-Embedder-Policy: require-corp");
  } finally {
    await server.stop();
  }
});

test("the first shell costs less than 10 MB of download", async ({ persistent }) => {
  notInFirefox("only Chromium’s protocol tells what a download took on the wire");
  const page = await persistent.open("about:blank");
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  page.context().on("response", response => {
    void response
      .request()
      .sizes()
      .then(sizes => {
        bytes += sizes.responseBodySize;
      })
      .catch(() => {});
  });
  await page.goto("/");
  await booted(page);
  expect(bytes).toBeGreaterThan(3_000_000);
  expect(bytes).toBeLessThan(10_000_000);
  console.log(`download to the first shell: ${(bytes / 1e6).toFixed(2)} MB`);
});

test("images that do not match the manifest are not booted", async ({ persistent }) => {
  const page = await persistent.open("about:blank");
  const body = await (await page.request.get("/images/bzImage")).body();
  body[1000] ^= 1;
  await page.context().route(/images\/bzImage/, route => route.fulfill({ body }));
  await page.goto("/?start=boot");
  await expect(page.getByRole("alert")).toContainText("bzImage is damaged", { timeout: 30_000 });
});

test("resetting the disks asks first, and Cancel is the default", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await page.getByRole("button", { name: "Reset disks" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  expect(await page.evaluate(() => window.doorbell?.state)).toBe("running");
});

for (const [name, viewport] of [
  ["desktop", { width: 1280, height: 800 }],
  ["phone", { width: 390, height: 844 }],
] as const) {
  test(`the greeting fits, and the status line follows the I/O, on a ${name}`, async ({ persistent }) => {
    const page = await persistent.open("/", viewport);
    await booted(page);
    // No line of it goes on in the next row.
    const rows = page.locator(".xterm-rows > div");
    for (const line of ["with an NVMe SSD that lives in it too.", "    bs=1M count=256 iflag=direct"]) {
      await expect(rows.filter({ hasText: line })).toHaveText(line);
    }
    await page.screenshot({ path: `test-results/greeting-${name}.png` });
    const work = page.evaluate(() =>
      window.doorbell?.exec("dd if=/dev/nvme0n2 of=/dev/null bs=1M count=512 iflag=direct"),
    );
    await expect
      .poll(
        async () => {
          const text = (await page.locator("#status").textContent()) ?? "";
          return Number(/Read MB\/s\s*([\d.,]+)/.exec(text)?.[1].replaceAll(",", "") ?? 0);
        },
        { timeout: 20_000, intervals: [100] },
      )
      .toBeGreaterThan(10);
    await work;
    await page.screenshot({ path: `test-results/${name}.png` });
  });
}
