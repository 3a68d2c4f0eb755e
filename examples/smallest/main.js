import { V86 } from "v86";
import { attachNvme, sharedMemory } from "v86-nvme";

const element = id => document.getElementById(id);
const wasm = "node_modules/v86/build/v86.wasm";

const emulator = new V86({
  // With shared guest RAM a worker serves the I/O. A page that is not cross-origin isolated does without.
  ...(crossOriginIsolated ? sharedMemory(wasm) : { wasm_path: wasm }),
  memory_size: 128 << 20,
  bios: { url: "images/bios.bin" },
  vga_bios: { url: "images/vgabios.bin" },
  bzimage: { url: "images/bzImage" },
  initrd: { url: "images/initramfs.cpio.gz" },
  cmdline: "rescue console=ttyS0 tsc=reliable mitigations=off loglevel=3 acpi=off lapic",
  acpi: true,
  net_device: { type: "none" },
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
  autostart: false,
});
emulator.add_listener("serial0-output-byte", byte => {
  element("screen").append(String.fromCharCode(byte).replace("\r", ""));
});

const attachment = await attachNvme(emulator, {
  namespaces: [{ backend: { kind: "indexeddb", name: "smallest", capacityBytes: 64 << 20 } }],
});
await emulator.run();

element("keyboard").addEventListener("submit", event => {
  event.preventDefault();
  emulator.serial0_send(`${element("line").value}\n`);
  element("line").value = "";
});
setInterval(() => {
  const { commands, sectorsRead, sectorsWritten, doorbellsRung, doorbellsElided } = attachment.counters();
  element("state").textContent =
    `${attachment.serving}: ${commands} commands, ${sectorsRead / 2} KiB read, ${sectorsWritten / 2} KiB written, ` +
    `${doorbellsRung} doorbells rung, ${doorbellsElided} elided`;
}, 500);

// For the browser's console.
Object.assign(window, { emulator, attachment });
