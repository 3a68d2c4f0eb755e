/** What the thread of 2015 measured natively, with KVM and a fast backend, in MB/s: for scale. */
export const thread2015 = { nvme: 294, virtioBlk: 344, virtioScsi: 296 } as const;

/** The same, for charts. */
export const threadRows: readonly { readonly label: string; readonly megabytes: number }[] = [
  { label: "2015: nvme + Google’s extension + eventfd", megabytes: thread2015.nvme },
  { label: "2015: virtio-blk", megabytes: thread2015.virtioBlk },
  { label: "2015: virtio-scsi", megabytes: thread2015.virtioScsi },
];
