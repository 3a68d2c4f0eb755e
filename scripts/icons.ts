/**
 * `npm run icons`: makes public/icons/*.png of public/favicon.svg, for those who install the page. The maskable one has the
 * picture within the middle 80 %, on a ground that may be cut to any shape.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright";
import { chromiumLaunch } from "../e2e/chromium.ts";

const folder = join(import.meta.dirname, "../public");
const svg = readFileSync(join(folder, "favicon.svg"), "utf8");
const icons = [
  { name: "192", size: 192, share: 1, ground: "transparent" },
  { name: "512", size: 512, share: 1, ground: "transparent" },
  { name: "maskable-512", size: 512, share: 0.6, ground: "#d8dde2" },
];

mkdirSync(join(folder, "icons"), { recursive: true });
const browser = await chromium.launch(chromiumLaunch);
const page = await browser.newPage();
for (const { name, size, share, ground } of icons) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(
    `<style>body { margin: 0; display: grid; place-items: center; height: 100vh; background: ${ground} }
    svg { width: ${share * size}px; height: ${share * size}px }</style>${svg}`,
  );
  await page.screenshot({ path: join(folder, "icons", `${name}.png`), omitBackground: true });
  console.log(`public/icons/${name}.png`);
}
await browser.close();
