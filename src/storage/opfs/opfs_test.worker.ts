/**
 * Runs OpfsBackends for tests in a page, which has no synchronous access handles itself: opens, calls, and answers with
 * the result or the error, and with what the disk says of itself then. remote_store.ts is the other end.
 */
import { StorageError } from "../block_backend.ts";
import type { Answer, Call, RemoteState } from "../testing/remote_store.ts";
import { OpfsBackend } from "./opfs_backend.ts";

const disks: OpfsBackend[] = [];

addEventListener("message", async ({ data: { id, disk, method, args } }: MessageEvent<Call>) => {
  try {
    if (method === "open") {
      disks.push(await OpfsBackend.open(...args));
      answer({ id, value: disks.length - 1, state: stateOf(disks.length - 1) });
      return;
    }
    const call: (...args: never[]) => Promise<unknown> = disks[disk][method];
    const value = await call.apply(disks[disk], args as never[]);
    answer({ id, value, state: stateOf(disk) });
  } catch (error) {
    const { name, message } = error as Error;
    answer({ id, error: { name, message, kind: error instanceof StorageError ? error.kind : undefined } });
  }
});

function stateOf(disk: number): RemoteState {
  const { chunkBytes, chunkCount, metadata, isOpen } = disks[disk];
  return { chunkBytes, chunkCount, metadata, isOpen };
}

function answer(message: Answer): void {
  postMessage(message);
}
