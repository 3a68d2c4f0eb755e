import { StorageError } from "../block_backend.ts";

/** Bytes of a file on a server, and what it said of the file with them. */
export interface HttpRange {
  readonly data: Uint8Array<ArrayBuffer>;
  /** Of the whole file. */
  readonly byteLength: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

export interface HttpOptions {
  readonly fetch?: typeof fetch;
  /** Waits so many milliseconds; for tests. */
  readonly wait?: (ms: number) => Promise<void>;
  /** Tries altogether, when the network or the server fails for the moment. Default 4. */
  readonly tries?: number;
}

/** Milliseconds before the second try; doubled for each further one. */
const FIRST_WAIT_MS = 250;
/** One try may not take longer: the block layer gives up a read after 30 s. */
const TRY_MS = 12_000;

/** The server cannot be reached, or not now: something that may pass. */
export class NetworkError extends StorageError {}

/**
 * Reads `length` bytes (at least one) at byte `at`. `ifRange`: an ETag or date that the file must still have; else
 * the server sends all of it, which is reported as a change. Rejects with StorageError.
 */
export function fetchRange(
  url: string,
  at: number,
  length: number,
  ifRange: string | undefined,
  options: HttpOptions,
): Promise<HttpRange> {
  const end = at + length - 1;
  return withRetries(options, async () => {
    const headers = new Headers({ Range: `bytes=${at}-${end}` });
    if (ifRange !== undefined) headers.set("If-Range", ifRange);
    const response = await request(url, headers, options);
    try {
      return await checkedRange(response, url, at, end, ifRange !== undefined);
    } catch (error) {
      await response.body?.cancel().catch(() => {});
      throw error;
    }
  });
}

/** Reads a whole small file as text. Rejects with StorageError. */
export function fetchText(url: string, options: HttpOptions): Promise<string> {
  return withRetries(options, async () => {
    const response = await request(url, new Headers(), options);
    checkStatus(response, url);
    return await body(response.text(), url);
  });
}

async function checkedRange(
  response: Response,
  url: string,
  at: number,
  end: number,
  conditional: boolean,
): Promise<HttpRange> {
  if (response.status === 200) {
    if (conditional) throw changed(url);
    throw new StorageError(
      "unavailable",
      `The server of ${url} ignores Range and sends the whole file. Use a host that answers byte ranges (206).`,
    );
  }
  if (response.status === 412 || response.status === 416) throw changed(url);
  checkStatus(response, url);
  if (response.status !== 206) {
    throw new StorageError("io", `The server of ${url} answered ${response.status} to a byte range.`);
  }
  const range = response.headers.get("Content-Range");
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range ?? "");
  if (!match) {
    throw new StorageError(
      "unavailable",
      range === null
        ? `The server of ${url} does not show Content-Range. If it is another site, it must name it in Access-Control-Expose-Headers.`
        : `The server of ${url} answers “Content-Range: ${range}”, which does not tell the image's length.`,
    );
  }
  if (Number(match[1]) !== at || Number(match[2]) !== end) {
    // Shorter than asked for: the file ends earlier than it did.
    if (Number(match[3]) <= end) throw changed(url);
    throw new StorageError("io", `The server of ${url} sent “${range}” instead of bytes ${at}-${end}.`);
  }
  const data = new Uint8Array(await body(response.arrayBuffer(), url));
  if (data.length !== end - at + 1) {
    throw new NetworkError("io", `The server of ${url} sent ${data.length} of ${end - at + 1} bytes.`);
  }
  return {
    data,
    byteLength: Number(match[3]),
    etag: response.headers.get("ETag") ?? undefined,
    lastModified: response.headers.get("Last-Modified") ?? undefined,
  };
}

export function changed(url: string): StorageError {
  return new StorageError(
    "unavailable",
    `The image ${url} has changed on its server. What was written on top of the old one does not fit the new one: ` +
      "put the old image back, or make a new disk.",
  );
}

function checkStatus({ ok, status }: Response, url: string): void {
  if (ok) return;
  const message = `The server of ${url} answered ${status}`;
  if (status >= 500 || status === 429 || status === 408) {
    throw new NetworkError("io", `${message}. Try again later.`);
  }
  throw new StorageError("unavailable", `${message}. Check the address and whether it may be read.`);
}

async function request(url: string, headers: Headers, options: HttpOptions): Promise<Response> {
  const { fetch: fetchIt = fetch } = options;
  try {
    // What was read is cached above, where it is known which image it belongs to.
    return await fetchIt(url, { headers, cache: "no-store", signal: AbortSignal.timeout(TRY_MS) });
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function body<T>(reading: Promise<T>, url: string): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw unreachable(url, error);
  }
}

function unreachable(url: string, cause: unknown): NetworkError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new NetworkError(
    "io",
    `${url} could not be read (${detail}). Check the network; if it is another site, it must allow this page (CORS).`,
    { cause },
  );
}

/** Repeats what fails with NetworkError, with longer and longer waits, made uneven so that readers do not go in step. */
export async function withRetries<T>(options: HttpOptions, once: () => Promise<T>): Promise<T> {
  const { tries = 4, wait = sleep } = options;
  for (let tried = 1; ; tried++) {
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof NetworkError) || tried >= tries) throw error;
      await wait(FIRST_WAIT_MS * 2 ** (tried - 1) * (0.75 + Math.random() / 2));
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
