/**
 * A link can name a network relay, and whoever made the link may run it: a guest is connected to a relay only once this browser's
 * user has said so, by the settings form or by the button on the notice.
 */

const KEY = "doorbell.network";

/** Was this relay, as in MachineSettings.network, the last one that the user chose? */
export function isPermitted(relay: string): boolean {
  if (relay === "") return true;
  try {
    return localStorage.getItem(KEY) === relay;
  } catch {
    return false;
  }
}

/** The user has chosen this relay, or none. */
export function permit(relay: string): void {
  try {
    if (relay === "") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, relay);
  } catch {
    // Without storage there is no machine either.
  }
}

/** What a network means, as long as the guest has one. */
export function connectedSentence(relay: string): string {
  return relay === "fetch"
    ? "The guest has a network: this browser makes its HTTP requests, and the sites that it asks see your address."
    : `The guest has a network through ${relay}: ${whoSees(relay)}`;
}

/** Of a link that asks for one. */
export function askingSentence(relay: string): string {
  return relay === "fetch"
    ? "This link would give the guest a network: this browser would make its HTTP requests. The machine was started without one."
    : `This link would connect the guest to ${relay}: ${whoSees(relay)} The machine was started without a network.`;
}

function whoSees(relay: string): string {
  const names = relay.startsWith("wisp") ? " Names are asked of cloudflare-dns.com." : "";
  return `whoever runs that relay sees, and can change, all that goes through it.${names}`;
}
