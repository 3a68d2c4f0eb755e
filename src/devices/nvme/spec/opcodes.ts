/** Admin command opcodes: NVMe 1.4, figure 139. */
export const AdminOpcode = {
  deleteIoSq: 0x00,
  createIoSq: 0x01,
  getLogPage: 0x02,
  deleteIoCq: 0x04,
  createIoCq: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEventRequest: 0x0c,
  namespaceManagement: 0x0d,
  deviceSelfTest: 0x14,
  namespaceAttachment: 0x15,
  keepAlive: 0x18,
  doorbellBufferConfig: 0x7c,
  formatNvm: 0x80,
  sanitize: 0x84,
  /** Google's vendor extension of 2015, from which Doorbell Buffer Config came. */
  googleShadowDoorbells: 0xc0,
} as const;

/** Bits of Optional Admin Command Support, bytes 257:256 of Identify Controller (figure 247). */
export const Oacs = {
  security: 1 << 0,
  formatNvm: 1 << 1,
  firmware: 1 << 2,
  namespaceManagement: 1 << 3,
  deviceSelfTest: 1 << 4,
  directives: 1 << 5,
  doorbellBufferConfig: 1 << 8,
} as const;

/** NVM command set opcodes: NVMe 1.4, figure 346. */
export const NvmOpcode = {
  flush: 0x00,
  write: 0x01,
  read: 0x02,
  writeUncorrectable: 0x04,
  compare: 0x05,
  writeZeroes: 0x08,
  datasetManagement: 0x09,
  verify: 0x0c,
  /** TP 4065; NVM Command Set Specification 1.0. */
  copy: 0x19,
} as const;
