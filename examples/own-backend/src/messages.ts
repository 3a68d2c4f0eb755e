import type { MonitorSource } from "v86-nvme";

export type FromMachine =
  | { readonly byte: number }
  | { readonly source: MonitorSource }
  | { readonly packedBytes: number }
  | { readonly error: string };

export interface ToMachine {
  readonly line: string;
}
