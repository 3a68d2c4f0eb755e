/**
 * A machine that only pretends, to work on the page without one: `npm start`, then `/?fake`. Variants:
 * `?fake=fail` · `?fake=rescue` · `?fake=stuck` (never leaves the kernel) · `?fake=dirty` (data waits for a flush) ·
 * `?fake=in-use`, `refused`, `too-large`, `taken-over` (another tab has the disks) · `?fake=readonly` · `?fake=full`
 * (storage is full for the first minute).
 */
import type {
  Blockade,
  BootStage,
  BootStageTiming,
  DiskAccess,
  DiskOwner,
  DiskStatus,
  ExecResult,
  Machine,
  MachineEvents,
  MachineSettings,
  MachineState,
} from "../../machine/api.ts";
import { EventHub } from "../../machine/event_hub.ts";
import { type CounterName, counterNames, IothreadState } from "../../trace/counters.ts";
import { FakeCatalogue } from "./fake_catalogue.ts";
import { FakeFaults } from "./fake_faults.ts";
import { FakeSlowMotion } from "./fake_slow_motion.ts";
import { FakeSnapshots } from "./fake_snapshots.ts";

const mib = 2 ** 20;
const imageBytes = 11.4 * mib;

/** When each stage begins and ends, in milliseconds. */
const script: readonly (readonly [BootStage, number, number])[] = [
  ["images", 0, 620],
  ["disks", 40, 310],
  ["firmware", 620, 840],
  ["kernel", 840, 2310],
  ["userspace", 2310, 2870],
];

const kernelLog = [
  "Linux version 6.1.170 (doorbell@doorbell) #1 PREEMPT",
  "Command line: console=ttyS0 tsc=reliable mitigations=off quiet",
  "nvme nvme0: pci function 0000:00:0e.0",
  "nvme nvme0: Shadow doorbells in use (DBBUF)",
  "nvme nvme0: 1/0/0 default/read/poll queues",
  " nvme0n1: \x1b[32m1.00 GiB\x1b[0m  nvme0n2: \x1b[32m4.00 GiB\x1b[0m",
  "EXT4-fs (nvme0n1): mounted filesystem with ordered data mode.",
];

const blockades: Record<string, Blockade> = {
  "in-use": { reason: "in-use", detail: "Another tab of this site has the machine's disks open." },
  "taken-over": { reason: "taken-over", detail: "Another tab has taken this machine's disks over." },
  refused: {
    reason: "refused",
    detail: "Writing to the disk failed: the browser gives this site no more room.",
  },
  "too-large": {
    reason: "too-large",
    detail: 'Disk "scratch" holds 800 MiB, and a copy in memory may take 512 MiB.',
  },
};

export function createFakeMachine(settings: MachineSettings, variant: string): Machine {
  return new FakeMachine(settings, variant);
}

class FakeMachine implements Machine {
  readonly screen = undefined;
  readonly settings: MachineSettings;
  readonly #variant: string;
  readonly #events = new EventHub();
  readonly #counters = Object.fromEntries(counterNames.map(name => [name, 0])) as Record<CounterName, number>;
  #state: MachineState = "new";
  #stateDetail: string | undefined;
  #ready = Promise.withResolvers<void>();
  #stages: BootStageTiming[] = [];
  #line = "";
  #boot = 0;
  #countedAt = performance.now();

  constructor(settings: MachineSettings, variant: string) {
    this.settings = settings;
    this.#variant = variant;
    this.#ready.promise.catch(() => {});
  }

  get state(): MachineState {
    return this.#state;
  }

  get stateDetail(): string | undefined {
    return this.#stateDetail;
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get rescue(): boolean {
    return this.#variant === "rescue";
  }

  startedAt = 0;
  restored = false;
  restoredFrom = undefined;
  readonly snapshots = new FakeSnapshots();
  blockade: Blockade | undefined;
  readOnly = false;

  get bootStages(): readonly BootStageTiming[] {
    return this.#stages;
  }

  on<E extends keyof MachineEvents>(event: E, listener: MachineEvents[E]): () => void {
    return this.#events.on(event, listener);
  }

  async start(access?: DiskAccess): Promise<void> {
    const boot = ++this.#boot;
    this.readOnly = access === "readonly" || (access === undefined && this.#variant === "readonly");
    this.blockade = access === undefined ? blockades[this.#variant] : undefined;
    if (this.blockade) return this.#setState("blocked", this.blockade.detail);
    const startedAt = performance.now();
    this.startedAt = startedAt;
    let printed = 0;
    this.#setState("booting");
    while (boot === this.#boot) {
      await new Promise(resolve => setTimeout(resolve, 40));
      let ms = performance.now() - startedAt;
      if (this.#variant === "stuck") ms = Math.min(ms, 1500);
      this.#stages = script.filter(([, start]) => start <= ms).map(([...entry]) => timing(entry, ms));
      this.#events.emit("boot", this.#stages);
      const due = Math.floor(((ms - 840) / 1470) * kernelLog.length);
      while (printed < Math.min(due, kernelLog.length)) {
        this.#print(`[    0.${String(printed * 137 + 100)}] ${kernelLog[printed++]}\r\n`);
      }
      if (this.#variant === "fail" && ms > 1700) {
        const reason =
          "Another tab has the disks of this machine open: close it, then press Restart. Two computers cannot share an SSD.";
        this.#events.emit("notice", reason);
        this.#setState("failed", reason);
        this.#ready.reject(new Error(reason));
        throw new Error(reason);
      }
      if (ms < 2870) continue;
      this.#print("\r\nWelcome to Doorbell. Try \x1b[1mnvme list\x1b[0m.\r\n\r\n");
      this.#prompt();
      this.#setState("running");
      if (this.#variant === "full") this.#runFull();
      this.#ready.resolve();
      return;
    }
  }

  async restart(): Promise<void> {
    this.#ready = Promise.withResolvers();
    this.#ready.promise.catch(() => {});
    await this.start();
  }

  async stop(): Promise<void> {
    this.#boot++;
    this.#setState("stopped");
  }

  send(text: string): void {
    for (const char of text) this.#key(char);
  }

  resize(): void {}

  async exec(command: string): Promise<ExecResult> {
    return { output: `${command}\n`, exitCode: 0, ms: 1 };
  }

  timeExits(): void {}

  /** It has no queues. */
  readonly observation = undefined;

  observe(): () => void {
    return () => {};
  }

  counters(): Record<CounterName, number> {
    const now = performance.now();
    const seconds = (now - this.#countedAt) / 1000;
    this.#countedAt = now;
    if (this.#state === "running") this.#count(seconds, (Math.sin(now / 1500) + 1.2) / 2.2);
    return { ...this.#counters };
  }

  async diskOwners(): Promise<readonly DiskOwner[]> {
    const since = Date.now() - 754_000;
    return [{ url: location.href, since, disks: ["system", "scratch"] }];
  }

  async disks(): Promise<readonly DiskStatus[]> {
    const dirtyBytes = this.#variant === "dirty" ? 2.3 * mib : 0;
    return [
      {
        id: "system",
        name: "system",
        path: "/dev/nvme0n1",
        byteLength: 1024 * mib,
        allocatedBytes: 31 * mib,
        dirtyBytes,
        flushing: false,
      },
      {
        id: "scratch",
        name: "scratch",
        path: "/dev/nvme0n2",
        byteLength: 4096 * mib,
        allocatedBytes: 0,
        dirtyBytes: 0,
        flushing: false,
      },
    ];
  }

  readonly catalogue = new FakeCatalogue();

  readonly faults = new FakeFaults(armed => {
    this.#events.emit("faults", armed);
  });

  readonly slowMotion = new FakeSlowMotion(speed => {
    this.#events.emit("pace", speed);
  });

  async resetDisks(): Promise<void> {
    await this.restart();
  }

  #runFull(): void {
    const say = (reason: string | undefined) => {
      this.#events.emit("unsaved", reason);
    };
    say(
      "The browser gives no more room for the scratch disk: what was written last is not saved. It is tried again every second: free space on this computer, delete a disk that you do not need, or discard blocks in Linux (fstrim, blkdiscard).",
    );
    setTimeout(() => say(undefined), 60_000);
  }

  #count(seconds: number, load: number): void {
    const add = (name: CounterName, perSecond: number) => {
      this.#counters[name] += Math.round(perSecond * seconds * load);
    };
    add("commands", 5600);
    add("reads", 4300);
    add("writes", 1300);
    add("sectorsRead", 1_700_000);
    add("sectorsWritten", 310_000);
    add("doorbellsRung", 90);
    add("doorbellsElided", 5500);
    add("doorbellsSwept", 2);
    add("interrupts", 2100);
    this.#counters.pollTimeUs = Math.round(1000 * load);
    this.#counters.iothreadState = load > 0.8 ? IothreadState.busy : IothreadState.polling;
    if (load < 0.2) this.#counters.iothreadState = IothreadState.sleeping;
    this.#counters.flushesInProgress = load > 0.9 ? 1 : 0;
  }

  #key(char: string): void {
    if (char === "\r") {
      const command = this.#line.trim();
      this.#line = "";
      this.#print("\r\n");
      if (command === "poweroff") return void this.stop();
      if (command === "flood") this.#flood();
      else if (command !== "") this.#print(`sh: ${command}: this machine only pretends\r\n`);
      this.#prompt();
    } else if (char === "\x7f") {
      if (this.#line === "") return;
      this.#line = this.#line.slice(0, -1);
      this.#print("\b \b");
    } else if (char >= " ") {
      this.#line += char;
      this.#print(char);
    }
  }

  /** As `yes | head -200000` and more: 20 MB as fast as the page takes them. */
  #flood(): void {
    const piece = "y\r\n".repeat(70_000);
    for (let i = 0; i < 100; i++) this.#print(piece);
  }

  #prompt(): void {
    this.#print("\x1b[1;32mroot@doorbell\x1b[0m:\x1b[1;34m~\x1b[0m# ");
  }

  #print(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#events.output(bytes);
  }

  #setState(state: MachineState, detail?: string): void {
    this.#state = state;
    this.#stateDetail = detail;
    this.#events.emit("state", state);
  }
}

function timing([stage, startMs, endMs]: readonly [BootStage, number, number], ms: number): BootStageTiming {
  const done = ms >= endMs;
  const bytes =
    stage === "images"
      ? { loaded: imageBytes * Math.min(1, (ms - startMs) / (endMs - startMs)), total: imageBytes }
      : {};
  return { stage, startMs, ...(done && { endMs }), ...bytes };
}
