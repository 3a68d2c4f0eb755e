/** The V86 lives here, and so does the backend. The package's own worker serves the I/O. */
import { V86 } from "v86";
import wasm from "v86/build/v86.wasm?url";
import { attachNvme, sharedMemory } from "v86-nvme";
import type { FromMachine, ToMachine } from "./messages.ts";
import { PackedMemory } from "./packed_memory.ts";

const post = (message: FromMachine) => self.postMessage(message);
const images = new URL("images/", self.location.origin).href;
const backend = new PackedMemory(64 << 20);

const emulator = new V86({
  ...sharedMemory(wasm),
  memory_size: 128 << 20,
  bios: { url: `${images}bios.bin` },
  vga_bios: { url: `${images}vgabios.bin` },
  bzimage: { url: `${images}bzImage` },
  initrd: { url: `${images}initramfs.cpio.gz` },
  cmdline: "rescue console=ttyS0 tsc=reliable mitigations=off loglevel=3 acpi=off lapic",
  acpi: true,
  // v86's types do not know it: no network card.
  net_device: { type: "none" as "ne2k" },
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
  autostart: false,
});
emulator.add_listener("serial0-output-byte", (byte: number) => post({ byte }));

const attachment = await attachNvme(emulator, { namespaces: [{ backend }] });
attachment.on("error", ({ message }) => post({ error: message }));
// The page looks at the counters itself, in shared memory.
if (attachment.monitorSource) post({ source: attachment.monitorSource });
await emulator.run();

setInterval(() => post({ packedBytes: backend.packedBytes }), 500);
self.addEventListener("message", ({ data }: MessageEvent<ToMachine>) => emulator.serial0_send(data.line));
