import { DiskBuffer } from "./disk_buffer.ts";
import { ImageBuffer } from "./image_buffer.ts";
import type { Media } from "./media.ts";
import type { V86Emulator, V86IdeDrive } from "./seams.ts";

const FLUSH_CACHE = 0xe7;
const FLUSH_CACHE_EXT = 0xea;
const BUSY = 0xd0;
const READY = 0x50;
const READY_WITH_ERROR = 0x51;
const UNCORRECTABLE = 0x40;
/** IDENTIFY DEVICE: command sets supported and enabled; bit 5 is the write cache. */
const WRITE_CACHE_WORDS = [82, 85] as const;
const WRITE_CACHE = 1 << 5;
const MEDIUM_ERROR = 3;
const UNRECOVERED_READ_ERROR = 0x11;

/**
 * What v86's IDE drives lack for disks that are kept: FLUSH CACHE ends when the data is durable, IDENTIFY DEVICE tells of
 * the write cache (else Linux never flushes), and reads can fail. v86's drives are sealed, so it is their class that is
 * changed; of drives that hold media of other kinds nothing changes.
 */
export function completeIdeDrives(emulator: V86Emulator, { cdrom }: Media): void {
  const drives = ideDrives(emulator);
  for (const drive of drives) {
    if (drive.buffer instanceof DiskBuffer) drive.buffer.onReadError = () => failRead(drive);
  }
  const cd = drives.find(drive => drive.is_atapi);
  if (cdrom instanceof ImageBuffer && cd) cdrom.onReadError = () => failCdRead(cd);
  const [any] = drives;
  if (any) completeClass(Object.getPrototypeOf(any) as V86IdeDrive);
}

export function ideDrives(emulator: V86Emulator): readonly V86IdeDrive[] {
  const { ide } = emulator.v86.cpu.devices;
  return [ide.primary, ide.secondary].flatMap(channel => (channel ? [channel.master, channel.slave] : []));
}

const completed = new WeakSet<object>();

function completeClass(drives: V86IdeDrive): void {
  if (completed.has(drives)) return;
  completed.add(drives);
  const { ata_command, create_identify_packet } = drives;
  drives.ata_command = function (this: V86IdeDrive, command) {
    if ((command === FLUSH_CACHE || command === FLUSH_CACHE_EXT) && this.buffer instanceof DiskBuffer) {
      flush(this, this.buffer, command);
    } else {
      ata_command.call(this, command);
    }
  };
  drives.create_identify_packet = function (this: V86IdeDrive) {
    create_identify_packet.call(this);
    if (!(this.buffer instanceof DiskBuffer)) return;
    for (const word of WRITE_CACHE_WORDS) this.data[word * 2] |= WRITE_CACHE;
  };
}

function flush(drive: V86IdeDrive, disk: DiskBuffer, command: number): void {
  drive.current_command = command;
  drive.error_reg = 0;
  drive.status_reg = BUSY;
  const end = (status: number, error: number) => {
    // A reset has come in between.
    if (drive.current_command !== command || drive.status_reg !== BUSY) return;
    drive.status_reg = status;
    drive.error_reg = error;
    drive.push_irq();
  };
  disk.flush().then(
    () => end(READY, 0),
    () => end(READY_WITH_ERROR, UNCORRECTABLE),
  );
}

function failRead(drive: V86IdeDrive): void {
  // Its callback is never called: forget it.
  drive.cancel_io_operations();
  drive.channel.dma_status &= ~1;
  drive.error_reg = UNCORRECTABLE;
  drive.status_reg = READY_WITH_ERROR;
  drive.push_irq();
}

function failCdRead(drive: V86IdeDrive): void {
  drive.cancel_io_operations();
  drive.channel.dma_status &= ~1;
  drive.atapi_check_condition_response(MEDIUM_ERROR, UNRECOVERED_READ_ERROR);
  drive.push_irq();
}
