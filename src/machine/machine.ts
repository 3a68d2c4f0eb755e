import * as Comlink from "comlink";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { VirtioSharedState } from "../devices/virtio/shared_state.ts";
import { answered } from "./answered.ts";
import type {
  Blockade,
  BootStageTiming,
  DiskCatalogue,
  DiskOwner,
  DiskStatus,
  ExecResult,
  Machine,
  MachineEvents,
  MachineSettings,
  MachineSnapshots,
  MachineState,
  SnapshotOrigin,
} from "./api.ts";
import { BootImages } from "./boot_images.ts";
import { BootTimeline } from "./boot_timeline.ts";
import { WorkerDiskCatalogue } from "./disk_catalogue.ts";
import { DriveHealth } from "./drive_health.ts";
import { EventHub } from "./event_hub.ts";
import { FaultInjection } from "./fault_injection.ts";
import { GuestDiskNames } from "./guest_disk_names.ts";
import type { ImageStore } from "./images.ts";
import { MachineDisks } from "./machine_disks.ts";
import { MachineView } from "./machine_view.ts";
import { type Memory, noMemory, rememberStart } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { blockadeOf, ownersOf } from "./ownership.ts";
import type { GuestRam, OpenedDisk, SharedDevices, VcpuEvent, VcpuWorkerApi } from "./protocol.ts";
import { ScreenLink } from "./screen_link.ts";
import { listenToGuest, type SerialLines } from "./serial_lines.ts";
import { SlowMotion } from "./slow_motion.ts";
import { ConsoleTail } from "./snapshots/console_tail.ts";
import { findSnapshot } from "./snapshots/find_snapshot.ts";
import { lateSnapshots, type Resumption } from "./snapshots/late_snapshots.ts";
import type { Snapshotted } from "./snapshots/machine_snapshots.ts";
import { obstacleOf } from "./snapshots/obstacles.ts";
import type { FittingSnapshot } from "./snapshots/resume.ts";
import { setTimeCommand } from "./snapshots/set_time.ts";
import { isStronglyOrderedHost } from "./strongly_ordered.ts";
import type { HandedKernel } from "./v86/emulator.ts";
import { type Connected, connectVcpu } from "./workers.ts";

const GIB = 1 << 30;
/** A command of the page in the guest has so long to end before a snapshot. */
const CALM_LIMIT_MS = 10_000;
/** A guest that goes on from the shipped snapshot seldom needs its disk before its prompt, but it may. */
const FILL_AFTER_MS = 3000;
const TAKEN_OVER = "Another tab has taken this machine's disks over.";

/** `memory` keeps the drive's SMART counters, and how it started, over visits; without it they start anew with each page. */
export function createMachine(settings: MachineSettings, memory?: Memory): Machine {
  return new WorkerMachine(settings, memory);
}

/**
 * A machine beside the page's own: its system disk is a copy and its scratch disk a new one, both in memory, and it touches
 * nothing that is kept.
 */
export function createSecondMachine(settings: MachineSettings): Machine {
  return new WorkerMachine({ ...settings, diskAccess: "readonly" }, undefined, true);
}

/** One life of the guest, from power on to reset. Its worker ends with it. */
interface Life {
  readonly timeline: BootTimeline;
  vcpu?: Connected<VcpuWorkerApi>;
  lines?: SerialLines;
  /** On its way already, where a boot is likely. Asked for once: a second answer may be another one. */
  handed?: Promise<HandedKernel>;
  /** It goes on from a snapshot that was only worth a try: a boot follows if it does not get on. */
  isAttempt?: boolean;
}

/** What a machine is made of. */
interface MachineParts {
  readonly bios: ArrayBuffer;
  readonly vgaBios: ArrayBuffer;
  readonly kernel: HandedKernel | undefined;
  readonly floppy: ArrayBuffer | undefined;
  readonly disks: readonly OpenedDisk[];
  readonly snapshot: FittingSnapshot | undefined;
}

/** The machine as the page holds it: two workers, their shared state, and what the guest's serial ports say. */
class WorkerMachine implements Machine {
  readonly settings: MachineSettings;
  readonly #events = new EventHub();
  #state: MachineState = "new";
  #stateDetail: string | undefined;
  #ready = Promise.withResolvers<void>();
  #rescue = false;
  readonly #images: BootImages;
  #life: Life = { timeline: new BootTimeline(() => {}) };
  /** Ends of lives and wipes of disks come one after the other; a boot waits for them. */
  #cleared: Promise<void> = Promise.resolve();
  readonly #view = new MachineView();
  #lastFailure: string | undefined;
  #blockade: Blockade | undefined;
  readonly faults = new FaultInjection({
    workers: async () => {
      const { vcpu } = this.#life;
      if (!vcpu) throw new Error("The machine is not running; restart it first.");
      const io = await this.#disks.io();
      return io ? [vcpu, io] : [vcpu];
    },
    cutStalls: () => this.#view.signals.cutStalls(),
    changed: armed => this.#emit("faults", armed),
  });
  readonly slowMotion = new SlowMotion({
    signals: () => this.#view.signals,
    isRunning: () => this.#state === "running",
    changed: speed => this.#emit("pace", speed),
  });
  readonly catalogue: DiskCatalogue = new WorkerDiskCatalogue({
    storage: () => this.#disks.storage(),
    syncGuest: () => this.#syncGuest(),
    disks: () => this.disks(),
    findPath: nsid => this.#guestNames.find(nsid),
    useOf: nsid => this.#guestNames.useOf(nsid),
  });
  readonly #guestNames = new GuestDiskNames(async command => {
    if (!this.#speaks) return undefined;
    const asking = this.exec(command);
    return (await answered(asking)) ? (await asking.catch(() => undefined))?.output : undefined;
  });
  readonly #health: DriveHealth;
  readonly #disks: MachineDisks;
  readonly screen: ScreenLink | undefined;
  readonly #console = new ConsoleTail();
  #restoredFrom: SnapshotOrigin | undefined;
  readonly #memory: Memory;
  /** The first start of a page, or after such a snapshot, goes on from the snapshot that the machine was switched off with, or from the shipped one. */
  #isFirstStart = true;
  readonly snapshots: MachineSnapshots;

  constructor(settings: MachineSettings, memory: Memory = noMemory, scratchInMemory = false) {
    this.settings = settings;
    this.screen = settings.own && new ScreenLink();
    this.#memory = memory;
    this.#health = new DriveHealth(memory);
    this.#images = new BootImages(settings, (loaded, total) =>
      this.#life.timeline.progress("images", loaded, total),
    );
    this.#disks = new MachineDisks({
      settings,
      scratchInMemory,
      vcpu: () => this.#life.vcpu,
      handOver: () => this.#handOver(),
      stolen: () => void this.#disksStolen(),
      notice: message => this.#emit("notice", message),
      died: error => this.#fail(error),
    });
    this.snapshots = lateSnapshots({
      settings,
      whileCalm: use => this.#whileCalm(use),
      disksNow: async () => {
        const storage = this.#state === "running" ? await this.#disks.storage() : undefined;
        return await storage?.answer(storage.api.seal());
      },
      stop: async () => {
        await this.stop();
        // Switched on again, it goes on from there.
        this.#isFirstStart = true;
      },
      resume: file => this.start(this.#disks.access, { file, isOptional: false }),
    });
    // Whoever does not ask for `ready` hears of a failure by the state event.
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
    return this.#rescue;
  }

  get restored(): boolean {
    return this.#restoredFrom !== undefined;
  }

  get restoredFrom(): SnapshotOrigin | undefined {
    return this.#restoredFrom;
  }

  get blockade(): Blockade | undefined {
    return this.#blockade;
  }

  get readOnly(): boolean {
    return this.#disks.isCopy;
  }

  get startedAt(): number {
    return this.#life.timeline.startedAt;
  }

  get bootStages(): readonly BootStageTiming[] {
    return this.#life.timeline.stages;
  }

  on<E extends keyof MachineEvents>(event: E, listener: MachineEvents[E]): () => void {
    return this.#events.on(event, listener);
  }

  start(access = this.#disks.access, resumption?: Resumption): Promise<void> {
    this.#endLife("The machine was restarted.");
    this.#renewReady();
    this.#disks.access = access;
    this.#blockade = undefined;
    this.#rescue = false;
    this.#restoredFrom = undefined;
    this.#console.clear();
    const isFirst = this.#isFirstStart;
    this.#isFirstStart = false;
    const timeline = new BootTimeline(stages => {
      if (this.#life.timeline === timeline) this.#emit("boot", stages);
    });
    const life: Life = { timeline };
    this.#life = life;
    this.#guestNames.forget();
    this.#setState("booting");
    this.#boot(life, resumption, isFirst).catch(error => {
      if (life !== this.#life) return;
      if (life.isAttempt) void this.start().catch(() => {});
      else this.#fail(error);
    });
    return this.#ready.promise;
  }

  restart(): Promise<void> {
    return this.start();
  }

  async stop(): Promise<void> {
    this.#endLife("The machine was stopped.");
    this.#setState("stopped");
    this.#ready.reject(new Error("The machine was stopped."));
    await this.#closeDisks();
  }

  /** Flushes and closes the disks and lets other tabs have them, once the guest has ended. */
  async #closeDisks(): Promise<void> {
    await this.#cleared;
    await this.#disks.close();
  }

  send(text: string): void {
    this.#life.lines?.console.postMessage(new TextEncoder().encode(text));
  }

  resize(columns: number, rows: number): void {
    if (this.#speaks) {
      void this.exec(`stty -F /dev/ttyS0 columns ${columns} rows ${rows}`).catch(() => {});
    }
  }

  /** Does our automation shell listen? In a machine of one's own there is none. */
  get #speaks(): boolean {
    return this.#state === "running" && !this.settings.own;
  }

  async exec(command: string): Promise<ExecResult> {
    const { lines } = this.#life;
    if (this.#blockade) throw new Error(this.#blockade.detail);
    if (this.settings.own) throw new Error("Commands can be run in the built-in machine only.");
    if (!lines || this.#state === "stopped" || this.#state === "failed") {
      throw new Error("The machine is not running; restart it first.");
    }
    return lines.agent.exec(command);
  }

  counters() {
    return this.#view.counters();
  }

  timeExits(on: boolean): void {
    this.#view.signals.timesExits = on;
  }

  diskOwners(): Promise<readonly DiskOwner[]> {
    return ownersOf(this.#disks.names);
  }

  get observation(): Observation | undefined {
    return this.#view.observation;
  }

  observe(): () => void {
    return this.#view.observe();
  }

  async disks(): Promise<readonly DiskStatus[]> {
    const storage = await this.#disks.storage();
    const disks = ((await storage?.answer(storage.api.status())) ?? []).map(disk => {
      const path = disk.nsid === undefined ? undefined : this.#guestNames.pathOf(disk.nsid);
      return path === undefined ? disk : { ...disk, path };
    });
    if (this.#speaks) {
      void this.#guestNames.refresh(disks.flatMap(({ nsid }) => nsid ?? []));
    }
    const failure = disks.find(disk => disk.failure !== undefined)?.failure;
    if (failure !== this.#lastFailure) this.#emit("unsaved", failure);
    this.#lastFailure = failure;
    return disks;
  }

  resetDisks(which: "system" | "scratch" | "all"): Promise<void> {
    if (this.settings.own) return Promise.reject(new Error("Only the built-in machine has these disks."));
    if (this.readOnly) {
      return Promise.reject(
        new Error("This machine works on a copy of the disks; reset them in the tab that has them."),
      );
    }
    this.#endLife("The disks are being reset.");
    this.#cleared = this.#cleared.then(() => this.#disks.wipe(which));
    return this.start();
  }

  // --- Booting

  async #boot(life: Life, wanted: Resumption | undefined, isFirst: boolean): Promise<void> {
    const isCurrent = () => life === this.#life;
    const { timeline } = life;
    const { own } = this.settings;
    const cleared = this.#cleared;
    const connecting = connectVcpu(error => {
      if (isCurrent()) this.#fail(error);
    });
    connecting.catch(() => {});
    const endImages = timeline.begin("images");
    const images = await this.#images.open();
    // Every machine has it, wherever it goes on from.
    const firmware = Promise.all([images.get("bios"), images.get("vgabios")]);
    firmware.catch(() => {});
    const opening = cleared.then(async () => {
      timeline.begin("disks");
      const opened = await this.#disks.open(connecting);
      if (own || opened[0].seeded) timeline.end("disks");
      return opened;
    });
    opening.catch(() => {});
    const snapshot = await this.#findSnapshot(life, wanted, isFirst, images, connecting, opening);
    life.isAttempt = snapshot?.isOptional ?? false;
    const fill = () => this.#disks.fill(images, connecting, snapshot?.isDiskToBeFilled ?? false);
    const disksReady = opening.then(async opened => {
      if (own || opened[0].seeded) return opened;
      if (!snapshot?.isDiskToBeFilled) await fill();
      timeline.end("disks");
      return opened;
    });
    disksReady.catch(() => {});
    const progress = (loaded: number, total: number) => timeline.progress("images", loaded, total);
    const [media, handed, [bios, vgaBios]] = await Promise.all([
      // In a snapshot the floppy and the kernel are in memory.
      own && !snapshot
        ? (await import("./own/load_own_media.ts")).loadOwnMedia(own, this.settings.memoryMiB, progress)
        : undefined,
      this.settings.boot === "kernel" && !own && !snapshot
        ? (life.handed ?? this.#images.handedKernel())
        : undefined,
      firmware,
    ]);
    endImages();
    const vcpu = await connecting;
    life.vcpu = vcpu;
    if (!isCurrent()) return void vcpu.terminate();
    const disks = await disksReady;
    if (!isCurrent()) return;
    const kernel = media?.kernel ?? handed;
    await this.#assemble(life, vcpu, { bios, vgaBios, kernel, floppy: media?.floppy, disks, snapshot });
    if (!isCurrent()) return;
    if (!snapshot) timeline.begin("firmware");
    else this.#hear(snapshot.console);
    await vcpu.api.run();
    if (isFirst && !own && !this.readOnly) rememberStart(this.#memory, snapshot?.isShipped ?? false);
    if (snapshot) {
      const awake = this.#wake(life, snapshot);
      if (snapshot.isDiskToBeFilled) {
        // Not before: it would take the processor from the machine that everybody waits for. Unless that waits for its disk.
        await answered(awake, FILL_AFTER_MS);
        if (isCurrent()) await fill();
      }
      return await awake;
    }
    // What it boots, and when that is ready, only who watches it knows.
    if (!own || !isCurrent()) return;
    timeline.end("firmware");
    this.#reached(timeline, undefined);
  }

  /** Makes the machine of its parts: both workers have the shared memory, and the page sees it. The guest does not run yet. */
  async #assemble(life: Life, vcpu: Connected<VcpuWorkerApi>, parts: MachineParts): Promise<void> {
    const { bios, vgaBios, kernel, floppy, disks, snapshot } = parts;
    const { settings } = this;
    const { own } = settings;
    const signals = this.#view.createSignals();
    const nvme = new SharedState(signals);
    this.#health.begin(nvme, !this.readOnly);
    const virtio = disks.some(disk => disk.virtio) ? new VirtioSharedState(signals) : undefined;
    const devices = { signals: signals.buffer, nvme: nvme.buffer, ...(virtio && { virtio: virtio.buffer }) };
    const serial = [new MessageChannel(), new MessageChannel()] as const;
    const screenPort = this.screen?.connect();
    this.#listen(life, serial[0].port1, serial[1].port1);
    const ram = await vcpu.api.create(
      Comlink.transfer(
        {
          bios,
          vgaBios,
          kernel,
          memoryBytes: settings.memoryMiB * 2 ** 20,
          devices,
          disks,
          ideBytes: settings.scratch === "ide" && !own ? GIB : 0,
          network: settings.network,
          shadowDoorbells: settings.shadowDoorbells,
          haltPollMaxUs: settings.haltPollMaxUs,
          interrupts: settings.interrupts,
          serving: settings.serving,
          serialPorts: [serial[0].port2, serial[1].port2],
          own: own && screenPort && { screenPort, cdrom: own.cdrom, floppy, bootOrder: own.bootOrder },
          resume: snapshot?.state,
        },
        [
          serial[0].port2,
          serial[1].port2,
          ...(screenPort ? [screenPort] : []),
          ...(snapshot ? [snapshot.state.v86] : []),
        ],
      ),
      Comlink.proxy((event: VcpuEvent) => {
        if (life === this.#life) this.#onVcpuEvent(life.timeline, event);
      }),
    );
    if (!this.#disks.areServedByVcpu) await this.#attachIothread(ram, devices);
    if (life === this.#life) this.#view.turnTo({ signals, nvme, virtio, ram });
  }

  /** Only a first start goes on from a snapshot that nobody has asked for, and a copy of the disks from none. */
  async #findSnapshot(
    life: Life,
    wanted: Resumption | undefined,
    isFirst: boolean,
    images: ImageStore,
    connecting: Promise<Connected<VcpuWorkerApi>>,
    opening: Promise<unknown>,
  ): Promise<FittingSnapshot | undefined> {
    const { settings } = this;
    const { own } = settings;
    const mayGoOn = isFirst && settings.start === "snapshot" && (!own || own.id !== undefined);
    if (this.#disks.isCopy || (!wanted && !mayGoOn)) return undefined;
    life.timeline.begin("restore");
    const snapshot = await findSnapshot({
      wanted,
      settings,
      images,
      memory: this.#memory,
      storage: async () => {
        await opening;
        return await this.#disks.connectServer(connecting);
      },
      bootIsLikely: () => {
        if (settings.boot !== "kernel") return;
        life.handed = this.#images.handedKernel();
        life.handed.catch(() => {});
      },
    });
    if (!snapshot) life.timeline.drop("restore");
    return snapshot;
  }

  /** The guest goes on from a snapshot since a moment. */
  async #wake(life: Life, { isShipped }: FittingSnapshot): Promise<void> {
    if (!life.lines) return;
    // In a machine of one's own nobody listens: what time it is, its clock chip says.
    const notice = this.settings.own
      ? undefined
      : await (await import("./snapshots/resume.ts")).wakeGuest(life.lines.agent, isShipped);
    if (life !== this.#life || this.#state !== "booting") return;
    life.isAttempt = false;
    this.#health.save();
    this.#restoredFrom = isShipped ? "shipped" : "own";
    life.timeline.end("restore");
    this.#setState("running");
    this.#ready.resolve();
    if (notice !== undefined) this.#emit("notice", notice);
  }

  #hear(bytes: Uint8Array): void {
    this.#console.add(bytes);
    this.#events.output(bytes);
  }

  async #attachIothread(ram: GuestRam, devices: SharedDevices): Promise<void> {
    const io = await this.#disks.connectIo();
    await io.api.attach({
      ram,
      devices,
      pollMaxUs: this.settings.serving === "iothread+poll" ? this.settings.pollMaxUs : 0,
      stronglyOrderedHost: await isStronglyOrderedHost(),
    });
  }

  // --- One life of the guest

  #listen(life: Life, console: MessagePort, automation: MessagePort): void {
    life.lines = listenToGuest(console, automation, {
      output: bytes => {
        if (life === this.#life) this.#hear(bytes);
      },
      ready: rescue => {
        if (life !== this.#life || this.#state !== "booting") return;
        this.#rescue = rescue;
        this.#health.save();
        this.#reached(life.timeline, rescue ? "rescue shell" : undefined);
      },
      panic: () => {
        const reason = "Linux has panicked; its last words are in the terminal. Reset the machine to go on.";
        if (life === this.#life) this.#fail(new Error(reason));
      },
    });
  }

  #reached(timeline: BootTimeline, detail: string | undefined): void {
    timeline.end("userspace");
    this.#setState("running", detail);
    this.#ready.resolve();
  }

  /** Ends the present guest at once; `#cleared` resolves when nothing touches its memory or its disks any more. */
  #endLife(reason: string): void {
    const { vcpu, lines } = this.#life;
    lines?.agent.close(reason);
    this.#view.signals.cutStalls();
    this.faults.forget();
    this.slowMotion.forget();
    this.#life = { timeline: this.#life.timeline };
    const before = this.#cleared.catch(() => {});
    this.#cleared = before.then(() => this.#disks.detach(vcpu));
    this.#cleared.catch(() => {});
  }

  #onVcpuEvent(timeline: BootTimeline, event: VcpuEvent): void {
    if (this.settings.own && event !== "reboot" && event !== "halted") return;
    switch (event) {
      case "bootloader":
        timeline.end("firmware");
        timeline.begin("bootloader");
        return;
      case "kernel":
        timeline.end(timeline.has("bootloader") ? "bootloader" : "firmware");
        timeline.begin("kernel");
        return;
      case "userspace":
        timeline.end("kernel");
        timeline.begin("userspace");
        return;
      case "reboot":
        void this.start().catch(() => {});
        return;
      case "halted":
        this.#endLife("The machine is switched off; restart it first.");
        this.#setState("stopped");
        this.#ready.reject(new Error("The guest has switched the machine off."));
        return;
    }
  }

  /** For a snapshot: with the page's shell in the guest at rest, and the machine at full speed. */
  async #whileCalm<T>(use: (machine: Snapshotted) => Promise<T>): Promise<T> {
    const life = this.#life;
    const { vcpu, lines } = life;
    const storage = await this.#disks.storage();
    if (this.#state !== "running" || !vcpu || !lines || !storage) {
      throw new Error("A snapshot is one of a running machine; start it first.");
    }
    const obstacle = obstacleOf(this);
    if (obstacle) throw new Error(obstacle);
    this.slowMotion.resume();
    try {
      if (!(await lines.agent.pause(CALM_LIMIT_MS))) {
        throw new Error(
          "The page’s shell in Linux is busy with a command; take the snapshot when that has ended.",
        );
      }
      return await use({ vcpu, storage, console: this.#console.bytes });
    } finally {
      lines.agent.resume();
      // Its clock stood still.
      if (life === this.#life && this.#speaks) void this.exec(setTimeCommand(Date.now())).catch(() => {});
    }
  }

  /** Has Linux write what it caches, unless it does not answer: others wait for it. */
  async #syncGuest(): Promise<void> {
    // A CPU that stands still would not answer.
    this.slowMotion.resume();
    if (this.#speaks) await answered(this.exec("sync"));
  }

  /** Another tab asks for the disks. Rejects, and keeps them, when what Linux has flushed could not be saved. */
  async #handOver(): Promise<void> {
    await this.#syncGuest();
    const storage = await this.#disks.storage();
    await storage?.answer(storage.api.flush());
    this.#endLife(TAKEN_OVER);
    const closed = this.#closeDisks();
    this.#block({ reason: "taken-over", detail: TAKEN_OVER });
    await closed;
  }

  /** Another tab has taken a disk away, because this one did not answer in time. */
  async #disksStolen(): Promise<void> {
    const detail = `${TAKEN_OVER} This one had not answered: what it had not flushed is lost.`;
    this.#endLife(detail);
    const closed = this.#closeDisks();
    this.#block({ reason: "taken-over", detail });
    await closed.catch(() => {});
  }

  #block(blockade: Blockade): void {
    this.#disks.access = "own";
    this.#lastFailure = undefined;
    this.#blockade = blockade;
    this.#setState("blocked", blockade.detail);
    this.#ready.reject(new Error(blockade.detail));
  }

  #fail(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#endLife(failure.message);
    const blockade = blockadeOf(failure);
    if (blockade) {
      this.#block(blockade);
      return;
    }
    this.#lastFailure = undefined;
    this.#setState("failed", failure.message);
    this.#ready.reject(failure);
  }

  /** The promise of a boot that was replaced settles as the new boot's does. */
  #renewReady(): void {
    const before = this.#ready;
    this.#ready = Promise.withResolvers<void>();
    this.#ready.promise.then(before.resolve, before.reject);
  }

  // --- Events

  #setState(state: MachineState, detail?: string): void {
    this.#state = state;
    this.#stateDetail = detail;
    this.#emit("state", state);
  }

  #emit<E extends keyof MachineEvents>(event: E, ...args: Parameters<MachineEvents[E]>): void {
    this.#events.emit(event, ...args);
  }
}
