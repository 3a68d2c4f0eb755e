import { afterEach, describe, expect, it, vi } from "vitest";
import { completeNetwork } from "./network_relay.ts";
import type { V86Emulator, V86WispAdapter } from "./seams.ts";

/** WebSocket.OPEN, which Node 20 has not. */
const OPEN = 1;

const complete = (adapter: object | undefined, relay: string) =>
  completeNetwork({ network_adapter: adapter } as V86Emulator, relay);

const frame = (type: number, stream: number, ...body: number[]) =>
  new Uint8Array([type, stream, 0, 0, 0, ...body]);

/** As much of v86's adapter as counts here. */
function wispAdapter() {
  const calls: string[] = [];
  const socket = { readyState: 0, onclose: vi.fn() };
  const adapter = {
    wispws: socket as unknown as WebSocket,
    connections: { 0: { congestion: 0 } } as V86WispAdapter["connections"],
    congested_buffer: [1, 2],
    tcp_conn: { one: { close: () => calls.push("close one") } },
    register_ws: (url: string) => calls.push(`register ${url}`),
    send_packet: (_data: Uint8Array, type: string, stream: number) => calls.push(`send ${type} ${stream}`),
    process_incoming_wisp_frame: ([type, stream]: Uint8Array) => calls.push(`process ${type} of ${stream}`),
    on_tcp_connection: () => calls.push("accept"),
  };
  complete(adapter, "wisps://relay.invalid/");
  return { adapter, socket, calls };
}

describe("Wisp", () => {
  it("takes frames of streams that are there, and no others", () => {
    const { adapter, calls } = wispAdapter();
    adapter.connections[3] = { congestion: 1 };
    adapter.process_incoming_wisp_frame(frame(3, 0, 32, 0, 0, 0));
    adapter.process_incoming_wisp_frame(frame(2, 3, 65));
    adapter.process_incoming_wisp_frame(frame(2, 4, 65));
    adapter.process_incoming_wisp_frame(frame(3, 5, 32, 0, 0, 0));
    adapter.process_incoming_wisp_frame(new Uint8Array([2, 0]));
    expect(calls).toEqual(["process 3 of 0", "process 2 of 3"]);
  });

  it("accepts connections only while the relay takes packets", () => {
    const { adapter, socket, calls } = wispAdapter();
    adapter.on_tcp_connection();
    socket.readyState = OPEN;
    adapter.on_tcp_connection();
    expect(calls).toEqual([]);
    adapter.connections[0].congestion = 32;
    adapter.on_tcp_connection();
    expect(calls).toEqual(["accept"]);
  });

  it("sends nothing into a WebSocket that is not open, which would throw", () => {
    const { adapter, socket, calls } = wispAdapter();
    adapter.send_packet(new Uint8Array(), "CLOSE", 1);
    socket.readyState = OPEN;
    adapter.send_packet(new Uint8Array(), "DATA", 2);
    expect(calls).toEqual(["send DATA 2"]);
  });

  it("ends the guest's connections with the relay, each time", () => {
    const { adapter, socket, calls } = wispAdapter();
    const first = adapter.connections;
    first[3] = { congestion: 1 };
    socket.onclose();
    expect(calls).toEqual(["close one"]);
    expect(adapter.connections).toEqual({ 0: { congestion: 0 } });
    expect(adapter.congested_buffer).toHaveLength(0);
    const again = { readyState: 0, onclose: vi.fn() };
    adapter.wispws = again as unknown as WebSocket;
    adapter.register_ws("wisps://relay.invalid/");
    again.onclose();
    expect(calls).toEqual(["close one", "register wisps://relay.invalid/", "close one"]);
  });
});

describe("fetch", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("asks other sites with TLS, and this machine as it is told to", async () => {
    const asked = vi.fn(async () => new Response());
    vi.stubGlobal("fetch", asked);
    const adapter = { fetch: async (_url: string, _options: RequestInit) => new Response() };
    complete(adapter, "fetch");
    for (const url of ["http://example.org/a?b", "https://example.org/", "http://localhost:8080/"]) {
      await adapter.fetch(url, { method: "GET" });
    }
    expect(asked.mock.calls.map(call => (call as unknown[])[0])).toEqual([
      "https://example.org/a?b",
      "https://example.org/",
      "http://localhost:8080/",
    ]);
  });
});

it("leaves Ethernet relays alone, and says what another v86 lacks", () => {
  expect(() => complete(undefined, "wss://relay.invalid/")).not.toThrow();
  expect(() => complete({}, "wisp://relay.invalid/")).toThrow("no register_ws()");
  expect(() => complete(undefined, "fetch")).toThrow("no fetch()");
});
