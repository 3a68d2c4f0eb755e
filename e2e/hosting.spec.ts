import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { build } from "vite";
import { booted, exec, expect, stepNotInFirefox, test } from "./browser.ts";
import { StaticServer } from "./static_server.ts";

/** The same page with two sentences changed, one of them in a chunk that is loaded when it is wanted. */
async function buildSecondVersion(outDir: string): Promise<void> {
  await build({
    logLevel: "error",
    build: { outDir, emptyOutDir: true },
    plugins: [
      {
        name: "second-version",
        transform: (code, id) =>
          /\/(toolbar|help|disks_dialog|new_disk)\.ts$/.test(id)
            ? code
                .replaceAll("What am I looking at?", "Second version")
                .replaceAll("New disk", "Another disk")
            : undefined,
      },
    ],
  });
}

const isKept = (page: Page) => page.evaluate(() => window.doorbell?.offline);
const cacheNames = (page: Page) => page.evaluate(() => caches.keys());

test("a host without headers, under a sub-path, then no host, then a new version", async ({ persistent }) => {
  const second = mkdtempSync(join(tmpdir(), "doorbell-second-"));
  const server = await StaticServer.start("dist", "/sub/path/");
  persistent.serviceWorkers = "allow";
  try {
    const page = await persistent.open("about:blank");
    const elsewhere: string[] = [];
    page.context().on("request", request => {
      if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url()))
        elsewhere.push(request.url());
    });
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", event =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    const errors: string[] = [];
    page.on("console", message => void (message.type() === "error" && errors.push(message.text())));

    await test.step("the first visit ends in a shell", async () => {
      let loads = 0;
      page.on("load", () => void loads++);
      await page.goto(server.url);
      await booted(page);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(loads).toBeLessThanOrEqual(2);
      expect(await isKept(page)).toMatchObject({ complete: true });
      await exec(page, "echo kept > /root/offline && sync");
      // The worker has the policy from the cache on; the meta element was in force before.
      const ran = await page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "window.ranInline = true";
        document.head.append(script);
        return "ranInline" in window;
      });
      expect(ran, "a script in the page").toBe(false);
      expect(errors.splice(0).filter(text => !text.includes("script-src"))).toEqual([]);
    });

    const noInstall = "Firefox on Linux does not install web apps";
    await stepNotInFirefox("it can be installed", noInstall, async () => {
      const session = await page.context().newCDPSession(page);
      const { errors, url } = await session.send("Page.getAppManifest");
      expect(url).toBe(`${server.url}app.webmanifest`);
      expect(errors).toEqual([]);
      const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
      expect(installabilityErrors.map(({ errorId }) => errorId)).toEqual([]);
    });

    await test.step("without the server it boots again, with all of its views", async () => {
      await server.stop();
      await page.reload();
      await booted(page);
      expect((await exec(page, "cat /root/offline")).output).toContain("kept");
      await page.getByRole("button", { name: "Views", exact: true }).click();
      await expect(page.getByRole("tab").first()).toBeVisible();
      await page.getByRole("button", { name: /What am I/ }).click();
      await expect(page.getByRole("dialog")).toContainText("starts without a network");
      await page.keyboard.press("Escape");
    });

    await test.step("a damaged file is noticed, and fetched anew", async () => {
      await page.evaluate(async () => {
        for (const name of await caches.keys()) {
          const cache = await caches.open(name);
          const [request] = (await cache.keys()).filter(({ url }) => url.includes("images/bzImage"));
          const entry = await cache.match(request);
          if (!entry) throw new Error("no kernel is kept");
          const bytes = new Uint8Array(await entry.arrayBuffer());
          bytes[1_000_000] ^= 1;
          await cache.put(request, new Response(bytes, { headers: entry.headers }));
        }
      });
      await page.reload();
      await expect(page.getByRole("alert")).toContainText("its saved copy is damaged", { timeout: 30_000 });
      await server.listen();
      await page.reload();
      await booted(page);
      expect(server.asked.at(-1)).toBeDefined();
      expect(await isKept(page)).toMatchObject({ complete: true });
    });

    await test.step("a new version is announced, and the guest goes on", async () => {
      await buildSecondVersion(second);
      server.folder = second;
      await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
      await expect(page.getByRole("alert")).toContainText("A new version of Doorbell is here", {
        timeout: 60_000,
      });
      expect(await cacheNames(page)).toHaveLength(2);
      expect((await exec(page, "cat /root/offline")).output).toContain("kept");
      // A view that was not open yet, of the version that the server no longer has.
      server.asked.length = 0;
      await page.getByRole("button", { name: /^Disks/ }).click();
      await expect(page.getByRole("dialog")).toContainText("New disk");
      await page.keyboard.press("Escape");
      expect(server.asked.filter(path => path.startsWith("assets/"))).toEqual([]);
    });

    await test.step("and is there after the reload", async () => {
      await page.getByRole("button", { name: "Reload now" }).click();
      await page.getByRole("button", { name: "Second version" }).waitFor({ timeout: 60_000 });
      await booted(page);
      expect((await exec(page, "cat /root/offline")).output).toContain("kept");
      expect(await isKept(page)).toMatchObject({ complete: true });
      // No page uses the first any more.
      await expect.poll(() => cacheNames(page)).toHaveLength(1);
    });

    expect(elsewhere, "requests to other origins").toEqual([]);
  } finally {
    await server.stop();
    rmSync(second, { recursive: true, force: true });
  }
});

test("a saved trace needs no image, and works without isolation", async ({ persistent }) => {
  const server = await StaticServer.start("dist", "/");
  try {
    const page = await persistent.open(`${server.url}?trace`);
    await expect(page.getByRole("button", { name: "Choose a file…" })).toBeVisible();
    // What would be asked for at all is asked for at the start.
    await page.waitForTimeout(1000);
    expect(server.asked.filter(path => path.startsWith("images/"))).toEqual([]);
  } finally {
    await server.stop();
  }
});
