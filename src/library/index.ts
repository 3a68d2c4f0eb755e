/**
 * Puts an NVMe SSD, or a virtio disk, into a v86 machine of your own.
 *
 * @packageDocumentation
 */

export type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
export type {
  ArmedRule,
  FaultAction,
  FaultActionName,
  FaultedCommand,
  FaultMatch,
  FaultRule,
  FiredFault,
} from "../devices/nvme/faults/rules.ts";
export type {
  CompletionQueueState,
  QueueLook,
  QueuePairState,
  ShadowWords,
  SubmissionQueueState,
} from "../devices/nvme/queue_inspector.ts";
export { commandName } from "../devices/nvme/spec/decode.ts";
export { csv as traceCsv, fioLog as traceFioLog, traceJson } from "../devices/nvme/trace_files.ts";
export type { InterruptKind, ListedFault, MachineFaults, ServingMode } from "../machine/api.ts";
export type { GuestStage } from "../machine/v86/boot_watch.ts";
export {
  type BlockBackend,
  type ChunkChange,
  type DirectReads,
  type JournalTraits,
  StorageError,
  type StorageErrorKind,
} from "../storage/block_backend.ts";
export type { LbaBytes } from "../storage/disk_store.ts";
export { MemoryBackend, type MemoryStore } from "../storage/memory_backend.ts";
export { type CommandSpan, CommandSpans, latencyOf } from "../trace/command_spans.ts";
export { type Counters, IothreadState } from "../trace/counters.ts";
export { type Bucket, LatencyHistogram } from "../trace/latency_histogram.ts";
export {
  readSavedTrace,
  type SavedNamespace,
  type SavedQueue,
  type SavedTrace,
  SavedTraceError,
  type TraceAbout,
} from "../trace/saved_trace.ts";
export { TraceKind, type TraceKindName, type TraceRecord } from "../trace/trace_ring.ts";
export { attachNvme, attachVirtio } from "./attach.ts";
export type { Attachment, AttachmentEvents } from "./attachment.ts";
export type {
  BuiltInDisk,
  DiskOptions,
  HttpDisk,
  IndexedDbDisk,
  MemoryDisk,
  OpfsDisk,
} from "./backends.ts";
export { deleteDisk } from "./delete_disk.ts";
export type { DiskState } from "./disk_host.ts";
export { Monitor, type MonitorSource, type Observer } from "./monitor.ts";
export type { AttachOptions, NvmeOptions, VirtioOptions } from "./options.ts";
export { type SharedMemoryOptions, sharedMemory } from "./shared_memory.ts";
