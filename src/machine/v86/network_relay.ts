/** What v86's network adapters for Wisp and for fetch lack, put right on the adapter of one emulator. */
import { override } from "./override.ts";
import type { V86Emulator, V86FetchAdapter, V86WispAdapter } from "./seams.ts";

const OPEN = 1;
/** Type and stream of a Wisp frame: one byte, and four. */
const HEAD_BYTES = 5;
/** What the page's policy lets it ask without TLS (connect-src in src/offline/policy.ts). */
const LOOPBACK = ["localhost", "127.0.0.1"];

/** `relay` is as MachineSettings.network. Before the guest runs. */
export function completeNetwork({ network_adapter: adapter }: V86Emulator, relay: string): void {
  if (relay === "fetch") completeFetch(known<V86FetchAdapter>(adapter, ["fetch"]));
  else if (/^wisps?:/.test(relay)) {
    completeWisp(
      known<V86WispAdapter>(adapter, [
        "register_ws",
        "send_packet",
        "process_incoming_wisp_frame",
        "on_tcp_connection",
      ]),
    );
  }
}

/** A request without TLS to another site is one with TLS: the browser refuses the other. */
function completeFetch(adapter: V86FetchAdapter): void {
  override(adapter, "fetch", (address, options) => {
    const url = new URL(address);
    if (url.protocol === "http:" && !LOOPBACK.includes(url.hostname)) url.protocol = "https:";
    return fetch(url.href, options);
  });
}

/**
 * Without a relay v86 would accept the guest's connections all the same and leave them hanging, or throw, in the middle of
 * guest code, while the WebSocket is being opened again; and it throws when the relay speaks of a stream that is not there.
 */
function completeWisp(adapter: V86WispAdapter): void {
  const {
    register_ws: register,
    send_packet: send,
    process_incoming_wisp_frame: process,
    on_tcp_connection: accept,
  } = adapter;
  /** It has said how much it takes. */
  const isThere = () => adapter.wispws.readyState === OPEN && adapter.connections[0].congestion > 0;

  override(adapter, "process_incoming_wisp_frame", frame => {
    if (frame.length >= HEAD_BYTES && streamOf(frame) in adapter.connections) process.call(adapter, frame);
  });
  override(adapter, "send_packet", (data, type, stream) => {
    if (adapter.wispws.readyState === OPEN) send.call(adapter, data, type, stream);
  });
  // What is not accepted is reset.
  override(adapter, "on_tcp_connection", (connection, packet) => {
    if (isThere()) accept.call(adapter, connection, packet);
  });

  const endConnections = () => {
    for (const connection of Object.values(adapter.tcp_conn)) connection.close();
    adapter.connections = { 0: { congestion: 0 } };
    adapter.congested_buffer.length = 0;
  };
  const watch = () => {
    const socket = adapter.wispws;
    const { onclose } = socket;
    socket.onclose = event => {
      endConnections();
      onclose?.call(socket, event);
    };
  };
  override(adapter, "register_ws", url => {
    register.call(adapter, url);
    watch();
  });
  watch();
}

function streamOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset).getUint32(1, true);
}

function known<T extends object>(adapter: object | undefined, names: readonly (keyof T & string)[]): T {
  for (const name of names) {
    if (typeof (adapter as T | undefined)?.[name] !== "function") {
      throw new Error(
        `v86's network adapter has no ${name}(): adapt src/machine/v86/network_relay.ts to this v86.`,
      );
    }
  }
  return adapter as T;
}
