import { Effect } from "../effects.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { compare } from "./compare.ts";
import { copy } from "./copy.ts";
import { flush } from "./durability.ts";
import { read, write } from "./read_write.ts";
import type { IoCommand } from "./services.ts";
import { verify, writeUncorrectable } from "./verify.ts";
import { datasetManagement, writeZeroes } from "./zeroes.ts";

const entry = (name: string, execute: IoCommand["execute"], effects = 0): IoCommand => ({
  name,
  effects: Effect.supported | effects,
  execute,
});

/** The NVM commands: this table is what is supported, how it is run, and what the effects log says. */
export const ioCommands: ReadonlyMap<number, IoCommand> = new Map([
  [NvmOpcode.flush, entry("Flush", flush)],
  [NvmOpcode.write, entry("Write", write, Effect.changesBlocks)],
  [NvmOpcode.read, entry("Read", read)],
  [NvmOpcode.writeUncorrectable, entry("Write Uncorrectable", writeUncorrectable, Effect.changesBlocks)],
  [NvmOpcode.compare, entry("Compare", compare)],
  [NvmOpcode.writeZeroes, entry("Write Zeroes", writeZeroes, Effect.changesBlocks)],
  [NvmOpcode.datasetManagement, entry("Dataset Management", datasetManagement, Effect.changesBlocks)],
  [NvmOpcode.verify, entry("Verify", verify)],
  [NvmOpcode.copy, entry("Copy", copy, Effect.changesBlocks)],
]);
