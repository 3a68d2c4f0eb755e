/** Feature identifiers: NVMe 1.4, figure 271. */
export const FeatureId = {
  arbitration: 0x01,
  powerManagement: 0x02,
  temperatureThreshold: 0x04,
  errorRecovery: 0x05,
  volatileWriteCache: 0x06,
  numberOfQueues: 0x07,
  interruptCoalescing: 0x08,
  interruptVectorConfiguration: 0x09,
  writeAtomicityNormal: 0x0a,
  asyncEventConfiguration: 0x0b,
  timestamp: 0x0e,
  keepAliveTimer: 0x0f,
  sanitizeConfig: 0x17,
} as const;

/** Log page identifiers: NVMe 1.4, figure 191. */
export const LogPageId = {
  error: 0x01,
  smart: 0x02,
  firmwareSlot: 0x03,
  changedNamespaces: 0x04,
  commandEffects: 0x05,
  selfTest: 0x06,
  sanitizeStatus: 0x81,
} as const;
