import { defineConfig } from "@playwright/test";

/** The port that the tests' own preview server listens on (loopback only). */
const PORT = 4179;
/** The browser: e2e/browser_under_test.ts. */
const { BROWSER = "chromium" } = process.env;
const results = BROWSER === "chromium" ? "e2e" : BROWSER;

export default defineConfig({
  testDir: "e2e",
  // The tests share two cores with the machines that they boot.
  workers: 1,
  fullyParallel: false,
  // The longest take a minute where nothing else runs.
  timeout: 240_000,
  // A machine that does something else at the wrong moment should not fail a build; the second try is reported as flaky.
  retries: process.env.CI ? 1 : 0,
  expect: { timeout: 15_000 },
  reporter: [["list"], ["json", { outputFile: `test-results/${results}.json` }]],
  outputDir: `test-results/${results}`,
  use: { baseURL: `http://localhost:${PORT}`, serviceWorkers: "block" },
  webServer: {
    command: `npx vite build && npx vite preview --port ${PORT} --strictPort --host localhost`,
    url: `http://localhost:${PORT}`,
    reuseExistingServer: false,
    timeout: 120_000,
  },
});
