import { Monitor } from "v86-nvme";
import type { FromMachine, ToMachine } from "./messages.ts";

const element = (id: string) => document.getElementById(id) as HTMLElement;
const line = element("line") as HTMLInputElement;

const machine = new Worker(new URL("./machine.worker.ts", import.meta.url), { type: "module" });
const send = (message: ToMachine) => machine.postMessage(message);
let monitor: Monitor | undefined;
let packedBytes = 0;

machine.onmessage = ({ data }: MessageEvent<FromMachine>) => {
  if ("byte" in data) element("screen").append(String.fromCharCode(data.byte).replace("\r", ""));
  else if ("source" in data) monitor = new Monitor(data.source);
  else if ("packedBytes" in data) packedBytes = data.packedBytes;
  else element("state").textContent = data.error;
};
machine.onerror = ({ message }) => {
  element("state").textContent = `The machine stopped: ${message}`;
};

element("keyboard").addEventListener("submit", event => {
  event.preventDefault();
  send({ line: `${line.value}\n` });
  line.value = "";
});
setInterval(() => {
  if (!monitor) return;
  const { commands, sectorsWritten } = monitor.counters();
  element("state").textContent =
    `${commands} commands, ${sectorsWritten / 2} KiB written, which take ${packedBytes} bytes packed`;
}, 500);
