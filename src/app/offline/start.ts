/** When the page begins to be kept in the browser, and what is said when a newer one has come. */
import type { Machine } from "../../machine/api.ts";
import type { Notices } from "../notices/notices.ts";
import { startAgain } from "../setup/change.ts";
import type { OfflineStatus } from "./offline.ts";

/** Once the machine needs neither network nor processor for its start. */
export async function startOffline(machine: Machine, notices: Notices): Promise<OfflineStatus> {
  await started(machine);
  const { keepOffline } = await import("./offline.ts");
  return keepOffline(() =>
    notices.notice(
      "A new version of Doorbell is here. It takes effect at the next reload; until then this machine goes on as it is.",
      { label: "Reload now", run: () => void startAgain(machine, location.search) },
    ),
  );
}

/** Without a machine. */
export async function startOfflineAlone(notices: Notices): Promise<void> {
  const { keepOffline } = await import("./offline.ts");
  await keepOffline(() =>
    notices.notice("A new version of Doorbell is here. It takes effect at the next reload.", {
      label: "Reload now",
      run: () => location.reload(),
    }),
  );
}

function started(machine: Machine): Promise<void> {
  const isBusy = () => machine.state === "new" || machine.state === "booting";
  return new Promise(resolve => {
    const off = machine.on("state", () => {
      if (isBusy()) return;
      off();
      resolve();
    });
    if (!isBusy()) resolve();
  });
}
