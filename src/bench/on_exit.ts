/** Tidying up when the program ends in the middle: by ^C, a signal or an error that nobody caught. */
let listening = false;

/** Runs the action when the process ends, however that comes, after those before it; the result takes it back. */
export function onExit(action: () => void): () => void {
  if (!listening) {
    listening = true;
    process.on("SIGINT", () => process.exit(130));
    process.on("SIGTERM", () => process.exit(143));
  }
  process.on("exit", action);
  return () => process.off("exit", action);
}
