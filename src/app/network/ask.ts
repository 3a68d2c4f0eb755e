/** The notice of a link that asks for a network. */
import type { Machine } from "../../machine/api.ts";
import type { Notices } from "../notices/notices.ts";
import { startAgain } from "../setup/change.ts";
import { askingSentence, permit } from "./permission.ts";

export function askForNetwork(machine: Machine, notices: Notices, relay: string): void {
  notices.notice(askingSentence(relay), {
    label: "Connect",
    run: () => {
      permit(relay);
      void startAgain(machine, location.search);
    },
  });
}
