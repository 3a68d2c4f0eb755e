/** The guest's network card: v86's NE2000, with the adapter that v86 has for the kind of relay. */
import type { V86Cpu } from "./seams.ts";

/** What v86 takes as net_device. `relay` is as MachineSettings.network. */
export function netDevice(relay: string): { readonly type: string; readonly relay_url?: string } {
  return relay === "" ? { type: "none" } : { type: "ne2k", relay_url: relay };
}

/** Where v86 puts the card. */
const PCI_ID = 0x05 << 3;
/** Config space, 32-bit word 15: bits 8–15 are the interrupt pin. */
const PIN_WORD = 0x3c >>> 2;
const INTD = 4;

/**
 * Moves the card from pin A to pin D. v86 does not OR the levels of a shared interrupt, and SeaBIOS gives two of the four
 * lines each an interrupt: A and B, which the SSD is on, 10; C and D 11. Before the guest runs.
 */
export function placeNetworkCard(cpu: V86Cpu): void {
  const space = cpu.devices.pci.device_spaces[PCI_ID];
  if (!space) throw new Error("v86 has put its network card elsewhere.");
  space[PIN_WORD] = (space[PIN_WORD] & ~0xff00) | (INTD << 8);
}
