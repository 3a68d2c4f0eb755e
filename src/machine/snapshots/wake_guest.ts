/**
 * What a guest is told that goes on from a snapshot: what time it is, and that its random numbers must not be those that another
 * machine from the same snapshot has.
 */
import { base64 } from "./base64.ts";
import { setTimeCommand } from "./set_time.ts";

/** RNDRESEEDCRNG, _IO('R', 7): has Linux's generator take in at once what its pool was given (random(4)). */
const RNDRESEEDCRNG = 0x5207;
const LOAD_ADDRESS = 0x08048000;
/** As much as the generator's key. */
const SEED_BYTES = 32;
const PROGRAM = "/run/.doorbell-reseed";

/** A shell command, for a root shell, that puts the program there which reseeds the generator. */
export const prepareCommand = (): string =>
  `echo ${base64(reseedProgram())} | base64 -d >${PROGRAM} && chmod 700 ${PROGRAM}`;

/**
 * A shell command, for a root shell. Its status is not 0 where the generator could not be reseeded. The shipped snapshot
 * `isPrepared`: what its guest need not read, byte by byte, and run is time that everybody would wait.
 */
export function wakeCommand(
  now: number,
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
  isPrepared = false,
): string {
  const seed = random(new Uint8Array(SEED_BYTES));
  const reseed = [
    setTimeCommand(now),
    // The shell does this by itself; each process that it starts takes tens of milliseconds just after the machine went on.
    `printf '${octal(seed)}' >/dev/urandom`,
    `${PROGRAM} 3<>/dev/urandom`,
  ];
  if (isPrepared) return reseed.join("\n");
  return [
    prepareCommand(),
    ...reseed,
    "doorbell_status=$?",
    `rm -f ${PROGRAM}`,
    "(exit $doorbell_status)",
  ].join("\n");
}

const octal = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => `\\${byte.toString(8).padStart(3, "0")}`).join("");

/**
 * A static i386 program (an ELF header, one segment, and code) that calls ioctl(3, RNDRESEEDCRNG) and exits with 0, or with the
 * number of the error: no shell can call ioctl.
 */
export function reseedProgram(): Uint8Array {
  const [headerBytes, segmentBytes] = [52, 32];
  const code = [
    ...[0xb8, ...dword(54)], // mov eax, SYS_ioctl
    ...[0xbb, ...dword(3)], // mov ebx, 3
    ...[0xb9, ...dword(RNDRESEEDCRNG)], // mov ecx, RNDRESEEDCRNG
    ...[0x31, 0xd2], // xor edx, edx
    ...[0xcd, 0x80], // int 0x80
    ...[0xf7, 0xd8], // neg eax
    ...[0x89, 0xc3], // mov ebx, eax
    ...[0xb8, ...dword(1)], // mov eax, SYS_exit
    ...[0xcd, 0x80], // int 0x80
  ];
  const codeAt = headerBytes + segmentBytes;
  const length = codeAt + code.length;
  const [ET_EXEC, EM_386, PT_LOAD, READ_EXECUTE] = [2, 3, 1, 5];
  return Uint8Array.from([
    ...[0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, ...new Array<number>(9).fill(0)], // ELF, 32 bits, little-endian
    ...[...half(ET_EXEC), ...half(EM_386), ...dword(1)],
    ...[...dword(LOAD_ADDRESS + codeAt), ...dword(headerBytes), ...dword(0), ...dword(0)],
    ...[...half(headerBytes), ...half(segmentBytes), ...half(1), ...half(0), ...half(0), ...half(0)],
    ...[...dword(PT_LOAD), ...dword(0), ...dword(LOAD_ADDRESS), ...dword(LOAD_ADDRESS)],
    ...[...dword(length), ...dword(length), ...dword(READ_EXECUTE), ...dword(0x1000)],
    ...code,
  ]);
}

const half = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const dword = (value: number): number[] => [...half(value), ...half(value >>> 16)];
