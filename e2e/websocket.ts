/** The server's end of WebSockets (RFC 6455), on the loopback interface, as far as the relays of the tests need it. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** The magic string of RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BINARY = 2;

/** A client that has connected. */
export interface Connection {
  /** Sends a binary message. */
  send(data: Buffer): void;
}

/** What is done with a client: called with each binary message, and when it is gone. */
export interface Listener {
  message(data: Buffer): void;
  closed?(): void;
}

export class WebSocketServer {
  /** Clients that have connected so far. */
  connections = 0;
  readonly #server: Server = createServer();
  readonly #sockets = new Set<Duplex>();

  constructor(connected: (connection: Connection) => Listener) {
    this.#server.on("upgrade", ({ headers }, socket) => {
      this.connections++;
      this.#sockets.add(socket);
      const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${GUID}`).digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      const listener = connected({
        send: data => void (socket.destroyed || socket.write(binaryFrame(data))),
      });
      let unread = Buffer.alloc(0);
      socket.on("data", (data: Buffer) => {
        unread = Buffer.concat([unread, data]);
        for (let frame = frameIn(unread); frame; frame = frameIn(unread)) {
          unread = unread.subarray(frame.bytes);
          if (frame.opcode === BINARY) listener.message(frame.data);
        }
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        listener.closed?.();
      });
    });
  }

  async start(port = 0): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(port, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

/** The first whole frame of a client, which is masked. */
function frameIn(bytes: Buffer): { opcode: number; data: Buffer; bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] & 0x7f;
  const start = short === 126 ? 4 : 2;
  if (short === 127) throw new Error("A frame of more than 64 KiB");
  if (bytes.length < start + 4) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const end = start + 4 + length;
  if (bytes.length < end) return undefined;
  const mask = bytes.subarray(start, start + 4);
  const data = Buffer.from(bytes.subarray(start + 4, end).map((byte, i) => byte ^ mask[i & 3]));
  return { opcode: bytes[0] & 0x0f, data, bytes: end };
}

function binaryFrame(data: Buffer): Buffer {
  if (data.length > 0xffff) throw new Error("A frame of more than 64 KiB");
  const head = data.length < 126 ? Buffer.from([0x82, data.length]) : Buffer.from([0x82, 126, 0, 0]);
  if (data.length >= 126) head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
}
