/** What an edit of a text comes to on a keyboard: deletions at its end, and what is typed then. */
export interface TextEdit {
  /** Characters to be deleted. */
  readonly deletions: number;
  readonly text: string;
}

/**
 * The keys that make `after` of `before`, with the cursor at the end of both. A phone's keyboard does not tell of keys: it puts
 * words together, and corrects them, in the text itself.
 */
export function editBetween(before: string, after: string): TextEdit {
  const [old, young] = [Array.from(before), Array.from(after)];
  let same = 0;
  while (same < old.length && same < young.length && old[same] === young[same]) same++;
  return { deletions: old.length - same, text: young.slice(same).join("") };
}
