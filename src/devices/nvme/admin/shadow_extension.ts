/**
 * Which shadow doorbell extension a controller offers: none, NVMe 1.3's Doorbell Buffer Config, or the vendor extension
 * of Google that it came from. Both take the same two pages and work alike from then on.
 */
export type ShadowExtension = "off" | "dbbuf" | "google";
