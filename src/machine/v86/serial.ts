import type { V86Emulator, V86Uart } from "./seams.ts";

/** Input waits here while the UART holds this many bytes: Linux's tty drops what it has no room for. */
const MAX_IN_UART = 16;
const RTS = 1 << 1;

/** One of v86's serial ports: output collected in batches, input fed as fast as the guest takes it. */
export class SerialPort {
  readonly #emulator: V86Emulator;
  readonly #port: 0 | 1;
  readonly #uart: V86Uart;
  readonly #onOutput: (bytes: Uint8Array) => void;
  #output = new Uint8Array(4096);
  #outputLength = 0;
  #input: Uint8Array[] = [];
  #inputAt = 0;
  /** Does the guest say with RTS whether it takes input? */
  flowControlled: () => boolean = () => true;

  constructor(emulator: V86Emulator, port: 0 | 1, onOutput: (bytes: Uint8Array) => void) {
    this.#emulator = emulator;
    this.#port = port;
    const { uart0, uart1 } = emulator.v86.cpu.devices;
    this.#uart = port === 0 ? uart0 : uart1;
    this.#onOutput = onOutput;
    // The page always takes output; a guest that uses hardware flow control must see that.
    emulator.serial_set_clear_to_send(port, true);
    emulator.add_listener(`serial${port}-output-byte`, (byte: number) => this.#collect(byte));
  }

  #collect(byte: number): void {
    if (this.#outputLength === this.#output.length) {
      const larger = new Uint8Array(this.#output.length * 2);
      larger.set(this.#output);
      this.#output = larger;
    }
    this.#output[this.#outputLength++] = byte;
  }

  /** Hands over the output so far as one batch. */
  flush(): void {
    if (this.#outputLength === 0) return;
    this.#onOutput(this.#output.slice(0, this.#outputLength));
    this.#outputLength = 0;
  }

  /** For a snapshot: input that the guest has not read yet. v86 does not keep it, though it keeps that there is some. */
  save(): number[] {
    const waiting = this.#input.flatMap((bytes, i) => [...bytes.subarray(i === 0 ? this.#inputAt : 0)]);
    return [...this.#uart.input, ...waiting];
  }

  /** After v86 has restored its own state. */
  restore(input: readonly number[]): void {
    this.#uart.input.push(...input.slice(0, MAX_IN_UART));
    if (input.length > MAX_IN_UART) this.#input.push(Uint8Array.from(input.slice(MAX_IN_UART)));
  }

  send(bytes: Uint8Array): void {
    this.#input.push(bytes);
    this.pump();
  }

  /** Feeds input that had to wait. RTS low means that the guest's buffers are full (hardware flow control). */
  pump(): void {
    while (
      this.#input.length > 0 &&
      this.#uart.input.length < MAX_IN_UART &&
      ((this.#uart.modem_control & RTS) !== 0 || !this.flowControlled())
    ) {
      const [first] = this.#input;
      const room = MAX_IN_UART - this.#uart.input.length;
      const slice = first.subarray(this.#inputAt, this.#inputAt + room);
      this.#emulator.serial_send_bytes(this.#port, slice);
      this.#inputAt += slice.length;
      if (this.#inputAt === first.length) {
        this.#input.shift();
        this.#inputAt = 0;
      }
    }
  }
}
