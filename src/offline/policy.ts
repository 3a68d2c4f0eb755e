/** The headers that the page is served with: by the preview server, and by the service worker on every other host. */

/** SharedArrayBuffer exists only on cross-origin isolated pages, whose workers must be isolated as well. */
export const isolationHeaders = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;

/** Where a disk image or a network relay of the user's own usually is at first: on this machine, without TLS. */
const LOOPBACK = ["localhost", "127.0.0.1"].flatMap(host => [`http://${host}:*`, `ws://${host}:*`]).join(" ");

/**
 * The content security policy. `inlineScript` is the hash, as in a policy, of the one script that is in the page itself.
 *
 * - 'wasm-unsafe-eval': v86 compiles what the guest runs to WebAssembly. Nothing makes JavaScript from text.
 * - style 'unsafe-inline': xterm.js writes style elements for its colours and cell sizes. No markup is ever parsed from data.
 * - worker-src blob: whether there are module workers is tried out with an empty one of a blob (src/app/requirements.ts).
 * - connect-src: the page asks no other origin for anything, unless the user names one: the address of a disk image, or of
 *   a network relay. Which one cannot be known here, as a disk that was attached in an earlier visit names one as well.
 */
export function contentSecurityPolicy(inlineScript: string): string {
  return [
    "default-src 'self'",
    `script-src 'self' 'wasm-unsafe-eval' '${inlineScript}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "worker-src 'self' blob:",
    `connect-src 'self' https: wss: ${LOOPBACK}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join("; ");
}
