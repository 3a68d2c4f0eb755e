import type { Machine } from "../../machine/api.ts";
import { MergedReader } from "../../trace/merged_reader.ts";
import type { Desk } from "./lesson_run.ts";

/** The desk of a lesson on a machine. The records are there while a view observes the machine. */
export function makeDesk(machine: Machine): Desk {
  let observation: Machine["observation"];
  let reader: MergedReader | undefined;
  return {
    exec: command => machine.exec(command),
    counters: () => machine.counters(),
    queues: () => machine.observation?.queues,
    records() {
      if (machine.observation !== observation) {
        observation = machine.observation;
        reader = observation && new MergedReader(observation.readTraces());
      }
      return reader?.take() ?? [];
    },
    slowMotion: machine.slowMotion,
    faults: machine.faults,
    pause: ms => new Promise(resolve => setTimeout(resolve, ms)),
  };
}
