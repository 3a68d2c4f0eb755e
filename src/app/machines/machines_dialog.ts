import type { Machine } from "../../machine/api.ts";
export async function openMachinesDialog(
  _m: Machine,
  _n: (m: string) => void,
  _f: readonly File[],
): Promise<void> {}
