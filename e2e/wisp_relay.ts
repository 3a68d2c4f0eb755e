import { connect, type Socket } from "node:net";
import { WebSocketServer } from "./websocket.ts";

/** Frames of Wisp, version 1: type, stream (32 bits, little-endian), and what the type says. */
const TYPE = { connect: 1, data: 2, continue: 3, close: 4 } as const;
const CLOSED = { ended: 2, unreachable: 0x42 } as const;
const HEAD_BYTES = 5;
/** Packets that a guest may send before it hears more. */
const WINDOW = 32;

/** A relay that speaks Wisp, on the loopback interface: whatever host it is asked for, it connects to a port of this machine. */
export class WispRelay {
  /** Hosts that it was asked for. */
  readonly asked: string[] = [];
  readonly #server = new WebSocketServer(({ send }) => {
    const streams = new Map<number, { readonly socket: Socket; taken: number }>();
    const frame = (type: number, stream: number, body: Uint8Array) => {
      const head = Buffer.alloc(HEAD_BYTES);
      head[0] = type;
      head.writeUInt32LE(stream, 1);
      send(Buffer.concat([head, body]));
    };
    const go = (stream: number) => frame(TYPE.continue, stream, Buffer.from([WINDOW, 0, 0, 0]));
    const open = (stream: number, body: Buffer) => {
      const port = body.readUInt16LE(1);
      this.asked.push(`${body.subarray(3).toString()}:${port}`);
      const socket = connect(port, "127.0.0.1");
      streams.set(stream, { socket, taken: 0 });
      socket.on("connect", () => go(stream));
      socket.on("data", data => {
        for (let at = 0; at < data.length; at += 0x4000) {
          frame(TYPE.data, stream, data.subarray(at, at + 0x4000));
        }
      });
      let reason: number = CLOSED.ended;
      socket.on("error", () => {
        reason = CLOSED.unreachable;
      });
      socket.on("close", () => {
        if (streams.delete(stream)) frame(TYPE.close, stream, Buffer.from([reason]));
      });
    };
    frame(TYPE.continue, 0, Buffer.from([WINDOW, 0, 0, 0]));
    return {
      message: message => {
        const stream = message.readUInt32LE(1);
        const body = message.subarray(HEAD_BYTES);
        const known = streams.get(stream);
        if (message[0] === TYPE.connect) open(stream, body);
        else if (message[0] === TYPE.data && known) {
          known.socket.write(body, () => {
            if (++known.taken % WINDOW === 0) go(stream);
          });
        } else if (message[0] === TYPE.close && known) {
          streams.delete(stream);
          known.socket.destroy();
        }
      },
      closed: () => {
        for (const { socket } of streams.values()) socket.destroy();
        streams.clear();
      },
    };
  });

  static async start(port = 0): Promise<WispRelay> {
    const relay = new WispRelay();
    await relay.#server.start(port);
    return relay;
  }

  get port(): number {
    return this.#server.port;
  }

  get url(): string {
    return `wisp://127.0.0.1:${this.port}/`;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}
