/** Tidying up when the program ends in the middle: by ^C, a signal or an error that nobody caught. */
const actions = new Set<() => void>();
let listening = false;

/** Runs the action when the process ends, however that comes; the result takes it back. */
export function onExit(action: () => void): () => void {
  if (!listening) {
    listening = true;
    process.on("exit", () => {
      for (const each of actions) each();
    });
    process.on("SIGINT", () => process.exit(130));
    process.on("SIGTERM", () => process.exit(143));
  }
  actions.add(action);
  return () => actions.delete(action);
}
