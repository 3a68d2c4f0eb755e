/** How long a worker, or the guest, has for an answer before it counts as hanging. */
const ANSWER_TIMEOUT_MS = 5000;

/** Did it answer in time? That it answered with an error does not matter here. */
export function answered(answer: Promise<unknown>, limitMs = ANSWER_TIMEOUT_MS): Promise<boolean> {
  const inTime = answer.then(
    () => true,
    () => true,
  );
  const late = new Promise<boolean>(resolve => setTimeout(() => resolve(false), limitMs));
  return Promise.race([inTime, late]);
}
