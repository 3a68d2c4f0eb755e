import { WebSocketServer } from "./websocket.ts";

const MAC = Buffer.from([0x02, 0, 0, 0, 0, 1]);
const ETHERTYPE = { arp: 0x0806, ipv4: 0x0800 } as const;

/**
 * A relay for v86's Ethernet frames over a WebSocket, on the loopback interface, with one host behind it: 10.9.8.1, which gives
 * out 10.9.8.7 by DHCP and answers ARP and ping.
 */
export class Relay {
  static readonly host = "10.9.8.1";
  static readonly guest = "10.9.8.7";
  readonly #server = new WebSocketServer(({ send }) => ({
    message: frame => {
      const answer = answerTo(frame);
      if (answer) send(answer);
    },
  }));

  static async start(): Promise<Relay> {
    const relay = new Relay();
    await relay.#server.start();
    return relay;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.port}/`;
  }

  /** Guests that have connected so far. */
  get connections(): number {
    return this.#server.connections;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

const address = (dotted: string) => Buffer.from(dotted.split(".").map(Number));

/** What the host behind the relay says to an Ethernet frame. */
function answerTo(frame: Buffer): Buffer | undefined {
  const from = frame.subarray(6, 12);
  const type = frame.readUInt16BE(12);
  const body = frame.subarray(14);
  if (
    type === ETHERTYPE.arp &&
    body.readUInt16BE(6) === 1 &&
    body.subarray(24, 28).equals(address(Relay.host))
  ) {
    const reply = Buffer.concat([
      body.subarray(0, 6),
      Buffer.from([0, 2]),
      MAC,
      address(Relay.host),
      body.subarray(8, 18),
    ]);
    return ethernet(from, ETHERTYPE.arp, reply);
  }
  if (type !== ETHERTYPE.ipv4) return undefined;
  const payload = body.subarray((body[0] & 15) * 4, body.readUInt16BE(2));
  if (body[9] === 1 && payload[0] === 8 && body.subarray(16, 20).equals(address(Relay.host))) {
    const echo = Buffer.from(payload);
    echo[0] = 0;
    echo.writeUInt16BE(0, 2);
    echo.writeUInt16BE(checksum(echo), 2);
    return ethernet(from, ETHERTYPE.ipv4, ipv4(1, body.subarray(12, 16), echo));
  }
  if (body[9] === 17 && payload.readUInt16BE(2) === 67) {
    return ethernet(from, ETHERTYPE.ipv4, ipv4(17, address("255.255.255.255"), dhcp(payload.subarray(8))));
  }
  return undefined;
}

function ethernet(to: Buffer, type: number, body: Buffer): Buffer {
  return Buffer.concat([to, MAC, Buffer.from([type >> 8, type & 255]), body]);
}

function ipv4(protocol: number, to: Buffer, payload: Buffer): Buffer {
  const header = Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0]);
  header.writeUInt16BE(20 + payload.length, 2);
  const whole = Buffer.concat([header, address(Relay.host), to]);
  whole.writeUInt16BE(checksum(whole), 10);
  return Buffer.concat([whole, payload]);
}

/** Offer or acknowledgement (RFC 2131), as UDP from port 67 to 68; the checksum is left out, as UDP allows. */
function dhcp(request: Buffer): Buffer {
  const kind = request[request.indexOf(Buffer.from([53, 1]), 240) + 2] === 1 ? 2 : 5;
  const reply = Buffer.alloc(300);
  request.copy(reply, 0, 0, 44);
  reply[0] = 2;
  address(Relay.guest).copy(reply, 16);
  const host = [...address(Relay.host)];
  const options = [
    53,
    1,
    kind,
    54,
    4,
    ...host,
    51,
    4,
    0,
    0,
    14,
    16,
    1,
    4,
    255,
    255,
    255,
    0,
    3,
    4,
    ...host,
    6,
    4,
    ...host,
  ];
  Buffer.from([0x63, 0x82, 0x53, 0x63, ...options, 255]).copy(reply, 236);
  const udp = Buffer.from([0, 67, 0, 68, 0, 0, 0, 0]);
  udp.writeUInt16BE(8 + reply.length, 4);
  return Buffer.concat([udp, reply]);
}

function checksum(data: Buffer): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += (data[i] << 8) | (data[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
