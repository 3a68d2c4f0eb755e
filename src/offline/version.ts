/** One build of the page: what its service worker knows of it, and the names by which page and worker find each other. */

export interface VersionFile {
  /** Relative to the folder of the page, as in a URL. */
  readonly path: string;
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string;
  /** Of what is in it, if it is packed with gzip: some servers send such a file so that the browser unpacks it. */
  readonly unpackedSha256?: string;
}

export interface Version {
  /** Follows from the files: two builds of the same have the same one. */
  readonly id: string;
  readonly files: readonly VersionFile[];
}

/** In index.html, so that a page knows its own version. Absent in development, which has no service worker. */
export const VERSION_META = "doorbell-version";

/** The worker's file, beside index.html. Its name never changes: that is how browsers find a new one. */
export const SERVICE_WORKER = "sw.js";

/**
 * The name of a version's cache, and of the Web Lock that each page of that version holds: the cache stays as long as there
 * is one. `scope` is the URL of the folder that the page is in.
 */
export function versionName(scope: string, id: string): string {
  return `${versionPrefix(scope)}${id}`;
}

/** What the names of all versions at this place begin with. */
export function versionPrefix(scope: string): string {
  return `doorbell ${scope} `;
}

/** The part of a hash that is in URLs: `images/bzImage?0092ba31c034f87e` is that image and no later one. */
export function hashInUrl(sha256: string): string {
  return sha256.slice(0, 16);
}

/** What a page asks a service worker, over the port that comes with it. */
export type Question =
  /** Which version it is of. */
  | "version"
  /** Fetch what is missing and drop old versions; "complete" once the page works without a network. */
  | "complete";

export interface Answer {
  /** Of the worker's version. */
  readonly id: string;
  /** Why it is not complete. */
  readonly failure?: string;
}
