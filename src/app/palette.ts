/** The page's colours, for canvases. Asking for a computed style makes the browser work out the page's layout first: seldom. */

const cache = new Map<string, string>();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cache.clear());

/** The value of a custom property as it is at `node`; where a name is set in several places, all give it one value. */
export function colourOf(node: Element, name: `--${string}`): string {
  let colour = cache.get(name);
  if (colour === undefined) {
    colour = getComputedStyle(node).getPropertyValue(name);
    // Without a style sheet yet there is none: ask again.
    if (colour !== "") cache.set(name, colour);
  }
  return colour;
}
