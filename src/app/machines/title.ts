/** Names the machine of one's own that is on the page, in the bar and in the browser's tab. */
export function showName(name: string): void {
  document.title = `${name} — Doorbell`;
  const subtitle = document.querySelector(".title p");
  if (subtitle) subtitle.textContent = name;
}
