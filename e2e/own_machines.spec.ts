import type { Page } from "@playwright/test";
import { ImageServer } from "../src/storage/testing/image_server.ts";
import { bootSector } from "./boot_sector.ts";
import { expect, test } from "./browser.ts";

const screenText = (page: Page) =>
  page
    .locator(".screen-text")
    .innerText()
    .catch(() => "");

/** Waits for the text on the machine's screen. */
async function expectScreen(page: Page, text: string | RegExp): Promise<void> {
  await expect.poll(() => screenText(page), { timeout: 40_000 }).toMatch(text);
}

/** How many colours are on the canvas. */
const colours = (page: Page) =>
  page.locator(".picture canvas").evaluate((canvas: HTMLCanvasElement) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d")?.getImageData(0, 0, width, height) ?? { data: [] };
    const pixels = new Uint32Array((data as Uint8ClampedArray).buffer);
    return { width, height, colours: new Set(pixels).size };
  });

test("a link boots a floppy image; its screen shows text and graphics, keys reach it", async ({
  persistent,
}) => {
  const server = new ImageServer(bootSector("Hello from a floppy"));
  await server.start();
  try {
    const page = await persistent.open("about:blank");
    page.on("console", message => console.log("page:", message.text()));
    await page
      .context()
      .route("**/own-floppy.img", route =>
        route.fulfill({ body: Buffer.from(bootSector("Hello from a floppy")) }),
      );
    await page.goto("/?floppy=own-floppy.img&memory=32");
    await expectScreen(page, /Hello from a floppy\n>/);
    await page.screenshot({ path: "/tmp/own/text.png" });
    await page.keyboard.type("ac-");
    await page.keyboard.press("Shift+KeyB");
    await expectScreen(page, /> ac-B/);
    await page.keyboard.press("g");
    await expect.poll(() => colours(page)).toMatchObject({ width: 320, height: 200 });
    await expect.poll(async () => (await colours(page)).colours).toBeGreaterThan(200);
    await page.screenshot({ path: "/tmp/own/graphics.png" });
    await page.keyboard.press("t");
    await page.keyboard.type("xyz");
    await expectScreen(page, /xyz/);
  } finally {
    await server.stop();
  }
});
