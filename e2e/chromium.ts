/**
 * How every test and benchmark starts the browser: Debian's Chromium (set CHROMIUM to use another one), without the
 * background services that would look for a network.
 */
export const chromiumLaunch = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};
