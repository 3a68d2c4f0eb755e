/** A guest under QEMU (TCG): the page's kernel, initramfs and root image, and the same agent on its second serial port. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { AgentClient } from "../machine/agent.ts";
import { type Guest, within } from "./definitions/guest.ts";
import type { QemuSystem } from "./definitions/systems.ts";
import { onExit } from "./on_exit.ts";

const PROGRAM = "qemu-system-i386";
const IMAGES = fileURLToPath(new URL("../../public/images/", import.meta.url));
const MIB = 2 ** 20;
/** As in the page. */
const DISK_BYTES = 1024 * MIB;
/** The disks are sparse: what the jobs and the boot write into them, and some more. */
const NEEDED_BYTES = 768 * MIB;

/** "7.2.22", or undefined where QEMU is not installed. */
export function qemuVersion(): string | undefined {
  const { stdout } = spawnSync(PROGRAM, ["--version"], { encoding: "utf8" });
  return /version (\S+)/.exec(stdout ?? "")?.[1];
}

/** Where the drives are: in memory, if there is room. */
export function driveFolder(): string {
  const shm = "/dev/shm";
  if (!existsSync(shm)) return tmpdir();
  const { bavail, bsize } = statfsSync(shm);
  return bavail * bsize > NEEDED_BYTES ? shm : tmpdir();
}

/** Boots the row's machine, with fresh disks. */
export async function openQemuGuest(system: QemuSystem): Promise<Guest> {
  const folder = mkdtempSync(join(driveFolder(), "doorbell-qemu-"));
  const forgetFolder = onExit(() => rmSync(folder, { recursive: true, force: true }));
  const { kernel, commandLine } = writeImages(folder);
  const port = await listenForAgent(join(folder, "agent"));
  const qemu = spawn(PROGRAM, qemuArguments(system, folder, kernel, commandLine), {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const forgetQemu = onExit(() => qemu.kill("SIGKILL"));
  let complaint = "";
  qemu.stderr.on("data", data => {
    complaint += data;
  });
  let end: string | undefined;
  const ended = (why: string) => {
    end = `QEMU ${why}. ${complaint.trim()}`;
    port.agent.close(end);
  };
  qemu.on("error", error => ended(`did not start: ${error.message}`));
  qemu.on("exit", (code, signal) => ended(`ended (${signal ?? code})`));

  const guest: Guest = {
    exec: async command => {
      if (end !== undefined) throw new Error(end);
      return await within(port.agent.exec(command), command);
    },
    // Its disk is a file in the page cache: nothing else happens after a write.
    settle: async () => {},
    async close() {
      await kill(qemu);
      port.server.close();
      rmSync(folder, { recursive: true, force: true });
      forgetQemu();
      forgetFolder();
    },
  };
  try {
    // The agent answers once the guest has booted.
    await guest.exec(":");
  } catch (error) {
    await guest.close();
    throw error;
  }
  return guest;
}

/** The machine of guest/test, with the page's amount of RAM; the CPU has no SSE beyond v86's. */
function qemuArguments(
  system: QemuSystem,
  folder: string,
  kernel: string,
  commandLine: string,
): readonly string[] {
  const drive = (id: string) => [
    "-drive",
    `file=${folder}/${id},if=none,format=raw,id=${id},cache=writeback`,
  ];
  return [
    ...["-M", "pc", "-accel", "tcg", "-cpu", "pentium3", "-m", "256"],
    ...["-nodefaults", "-display", "none", "-no-reboot"],
    ...["-kernel", kernel, "-initrd", `${folder}/initrd`, "-append", commandLine],
    ...["-serial", "null", "-serial", `unix:${folder}/agent`],
    ...drive("root"),
    ...drive("scratch"),
    ...system.devices,
  ];
}

interface Manifest {
  readonly files: Readonly<Record<string, { readonly path: string; readonly encoding: string }>>;
  readonly cmdline: string;
}

/** Unpacks the images into the folder, and makes an empty scratch disk. */
function writeImages(folder: string): { readonly kernel: string; readonly commandLine: string } {
  const manifest = JSON.parse(readFileSync(join(IMAGES, "manifest.json"), "utf8")) as Manifest;
  const image = (name: string) => {
    const { path, encoding } = manifest.files[name];
    const bytes = readFileSync(join(IMAGES, path));
    return encoding === "gzip" ? gunzipSync(bytes) : bytes;
  };
  writeFileSync(join(folder, "initrd"), image("initramfs"));
  writeFileSync(join(folder, "root"), image("rootfs"));
  writeFileSync(join(folder, "scratch"), "");
  for (const disk of ["root", "scratch"]) truncateSync(join(folder, disk), DISK_BYTES);
  return { kernel: join(IMAGES, manifest.files.kernel.path), commandLine: manifest.cmdline };
}

/** Waits at a socket for QEMU to bring the guest's second serial port. */
async function listenForAgent(
  path: string,
): Promise<{ readonly agent: AgentClient; readonly server: Server }> {
  let send = (_: Uint8Array) => {};
  const agent = new AgentClient(
    bytes => send(bytes),
    () => {},
  );
  const server = createServer(socket => {
    send = bytes => socket.write(bytes);
    socket.on("data", data => agent.receive(data));
    // The end of QEMU is told by its process.
    socket.on("error", () => {});
  });
  server.listen(path);
  await once(server, "listening");
  return { agent, server };
}

/** Ends this very process: the guest has nothing to lose. */
async function kill(qemu: ChildProcess): Promise<void> {
  if (qemu.pid === undefined || qemu.exitCode !== null || qemu.signalCode !== null) return;
  const gone = once(qemu, "exit");
  qemu.kill("SIGKILL");
  await gone;
}
