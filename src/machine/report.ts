/** How a worker tells of what should not have happened. */

/** For exceptions that no guest should be able to cause: the guest has had its answer, somebody should hear of it. */
export function reportBug(error: unknown): void {
  console.error("NVMe command failed unexpectedly", error);
}

/**
 * In a worker: exceptions in its loops end as rejected promises, of which the page would never hear. Reported as
 * errors they reach `onError`.
 */
export function reportRejections(): void {
  addEventListener("unhandledrejection", event => {
    event.preventDefault();
    reportError(event.reason);
  });
}
