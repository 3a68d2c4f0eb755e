/** Bits of the Commands Supported and Effects log (NVMe 1.4, section 5.14.1.5). Each command table entry has one value. */
export const Effect = {
  supported: 1 << 0,
  /** Logical block content change. */
  changesBlocks: 1 << 1,
  /** Namespace Capability Change: Identify Namespace may say something else. */
  changesNamespace: 1 << 2,
  /** Namespace Inventory Change: namespaces may have come or gone. */
  changesInventory: 1 << 3,
  /** Command Submission and Execution, 18:16: no other command to the same namespace may be outstanding. */
  aloneOnNamespace: 1 << 16,
  /** … to any namespace. */
  aloneInSubsystem: 1 << 17,
} as const;
