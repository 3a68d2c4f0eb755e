import * as Comlink from "comlink";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { CounterReader } from "../trace/counters.ts";
import { AgentClient } from "./agent.ts";
import type {
  BootStage,
  BootStageTiming,
  DiskStatus,
  ExecResult,
  Machine,
  MachineEvents,
  MachineSettings,
  MachineState,
} from "./api.ts";
import { ImageStore } from "./images.ts";
import { PromptWatch } from "./prompt_watch.ts";
import {
  type DiskConfig,
  type IoWorkerApi,
  type VcpuEvent,
  type VcpuWorkerApi,
  WORKER_READY,
} from "./protocol.ts";

const GIB = 1 << 30;
const systemDisk: DiskConfig = { name: "system", nsid: 1, byteLength: GIB };
const scratchDisk: DiskConfig = { name: "scratch", nsid: 2, byteLength: GIB };
/**
 * The kernel is told what it would otherwise look for or ask the tables: with the pin there is no local APIC, and with
 * messages that is all that is used of the APICs and of ACPI, whose tables cost a third of the boot.
 */
const machineArguments = { intx: "acpi=off nolapic", msix: "acpi=off lapic" } as const;
/** How long a worker has for flushing its disks before it is ended all the same. */
const CLOSE_TIMEOUT_MS = 3000;
const diskConfigs = [systemDisk, scratchDisk];

export function createMachine(settings: MachineSettings): Machine {
  return new WorkerMachine(settings);
}

interface Connected<T> {
  readonly worker: Worker;
  readonly api: Comlink.Remote<T>;
}

/** One life of the guest, from power on to reset. */
interface Life {
  readonly vcpu: Connected<VcpuWorkerApi>;
  readonly console: MessagePort;
  readonly agent: AgentClient;
}

/** The machine as the page holds it: two workers, their shared state, and what the guest's serial ports say. */
class WorkerMachine implements Machine {
  readonly settings: MachineSettings;
  readonly #listeners: { [E in keyof MachineEvents]: Set<MachineEvents[E]> } = {
    state: new Set(),
    boot: new Set(),
    output: new Set(),
    notice: new Set(),
  };
  /** Console output from before there was a terminal. */
  readonly #unheard: Uint8Array[] = [];
  #state: MachineState = "new";
  #ready = Promise.withResolvers<void>();
  #rescue = false;
  #stages: BootStageTiming[] = [];
  #startedAt = 0;
  #images: Promise<ImageStore> | undefined;
  #io: Promise<Connected<IoWorkerApi>> | undefined;
  #life: Life | undefined;
  #reader = new CounterReader(SharedState.create().counters);
  /** Starts are one after the other: a reset during a boot waits for nothing but replaces it. */
  #generation = 0;

  constructor(settings: MachineSettings) {
    this.settings = settings;
    // Whoever does not ask for `ready` hears of a failure by the state event.
    this.#ready.promise.catch(() => {});
  }

  get state(): MachineState {
    return this.#state;
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get rescue(): boolean {
    return this.#rescue;
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  get bootStages(): readonly BootStageTiming[] {
    return this.#stages;
  }

  on<E extends keyof MachineEvents>(event: E, listener: MachineEvents[E]): () => void {
    this.#listeners[event].add(listener);
    if (event === "output") for (const bytes of this.#unheard.splice(0)) this.#emit("output", bytes);
    return () => this.#listeners[event].delete(listener);
  }

  async start(): Promise<void> {
    const generation = ++this.#generation;
    const ended = this.#endLife("The machine was restarted.");
    if (this.#state !== "new") {
      this.#ready = Promise.withResolvers<void>();
      this.#ready.promise.catch(() => {});
    }
    this.#rescue = false;
    this.#stages = [];
    this.#startedAt = performance.now();
    this.#setState("booting");
    try {
      await ended;
      await this.#boot(() => generation === this.#generation);
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
    return this.#ready.promise;
  }

  restart(): Promise<void> {
    return this.start();
  }

  async stop(): Promise<void> {
    this.#generation++;
    this.#setState("stopped");
    await this.#endLife("The machine was stopped.");
    const io = await this.#io?.catch(() => undefined);
    this.#io = undefined;
    await io?.api.close();
    io?.worker.terminate();
  }

  send(text: string): void {
    this.#life?.console.postMessage(new TextEncoder().encode(text));
  }

  resize(columns: number, rows: number): void {
    if (this.#state === "running") {
      void this.exec(`stty -F /dev/ttyS0 columns ${columns} rows ${rows}`).catch(() => {});
    }
  }

  async exec(command: string): Promise<ExecResult> {
    if (!this.#life) throw new Error("The machine is not running; restart it first.");
    return this.#life.agent.exec(command);
  }

  counters() {
    return this.#reader.read();
  }

  async disks(): Promise<readonly DiskStatus[]> {
    const { vcpu } = this.#life ?? {};
    const storage = this.#servedByVcpu ? vcpu?.api : (await this.#io)?.api;
    return storage ? storage.status() : [];
  }

  async resetDisks(which: "system" | "scratch" | "all"): Promise<void> {
    this.#generation++;
    await this.#endLife("The disks are being reset.");
    const io = await this.#connectIo();
    await io.api.wipe(
      diskConfigs.filter(({ name }) => which === "all" || which === name).map(({ name }) => name),
    );
    await this.start();
  }

  // --- Booting

  async #boot(isCurrent: () => boolean): Promise<void> {
    const stage = (name: BootStage) => this.#beginStage(name);
    const endImages = stage("images");
    const connecting = this.#connectVcpu();
    this.#images ??= ImageStore.open(
      new URL(`${import.meta.env.BASE_URL}images/`, location.href),
      (loaded, total) => this.#updateStage("images", { loaded, total }),
    );
    // A failed start may be tried again.
    this.#images.catch(() => {
      this.#images = undefined;
    });
    const images = await this.#images;
    const opening = this.#openDisks(images, connecting);
    opening.catch(() => {});
    const [kernel, initrd, bios, vgaBios] = await Promise.all([
      images.get("kernel"),
      images.get("initramfs"),
      images.get("bios"),
      images.get("vgabios"),
    ]);
    endImages();
    const vcpu = await connecting;
    const shared = SharedState.create();
    const serial = [new MessageChannel(), new MessageChannel()] as const;
    const namespaces = await opening;
    if (!isCurrent()) {
      vcpu.worker.terminate();
      return;
    }
    const life = this.#beginLife(vcpu, serial[0].port1, serial[1].port1);
    const ram = await vcpu.api.create(
      Comlink.transfer(
        {
          bios,
          vgaBios,
          kernel,
          initrd,
          commandLine:
            `${images.manifest.cmdline} ${machineArguments[this.settings.interrupts]} ${this.settings.kernelArguments}`.trim(),
          memoryBytes: this.settings.memoryMiB * 2 ** 20,
          shared: shared.buffer,
          namespaces,
          shadowDoorbells: this.settings.shadowDoorbells,
          haltPollMaxUs: this.settings.haltPollMaxUs,
          interrupts: this.settings.interrupts,
          serving: this.settings.serving,
          serialPorts: [serial[0].port2, serial[1].port2],
        },
        [serial[0].port2, serial[1].port2],
      ),
      Comlink.proxy((event: VcpuEvent) => this.#onVcpuEvent(life, event)),
    );
    if (!isCurrent()) return;
    if (!this.#servedByVcpu) {
      const io = await this.#connectIo();
      await io.api.attach({
        ram,
        shared: shared.buffer,
        pollMaxUs: this.settings.serving === "iothread+poll" ? this.settings.pollMaxUs : 0,
        stronglyOrderedHost: await isStronglyOrderedHost(),
      });
    }
    if (!isCurrent()) return;
    this.#reader = new CounterReader(shared.counters);
    stage("firmware");
    await vcpu.api.run();
  }

  /** Without an iothread the disks are the machine worker's. */
  get #servedByVcpu(): boolean {
    return this.settings.serving === "mmio" || this.settings.serving === "mainloop";
  }

  async #openDisks(images: ImageStore, connectingVcpu: Promise<Connected<VcpuWorkerApi>>) {
    const endStage = this.#beginStage("disks");
    const { api: storage } = this.#servedByVcpu ? await connectingVcpu : await this.#connectIo();
    const opened = await storage.open(diskConfigs);
    const system = opened[diskConfigs.indexOf(systemDisk)];
    if (!system.seeded) {
      const image = await images.get("rootfs");
      images.forget("rootfs");
      await storage.seed(
        systemDisk.name,
        Comlink.transfer(image, [image]),
        images.manifest.files.rootfs.sha256,
      );
    }
    endStage();
    return opened.map(({ namespace }) => namespace);
  }

  #connectVcpu(): Promise<Connected<VcpuWorkerApi>> {
    return this.#connect(
      new Worker(new URL("./vcpu.worker.ts", import.meta.url), { type: "module", name: "vcpu" }),
      "machine worker",
    );
  }

  #connectIo(): Promise<Connected<IoWorkerApi>> {
    this.#io ??= this.#connect(
      new Worker(new URL("./io.worker.ts", import.meta.url), { type: "module", name: "iothread" }),
      "I/O worker",
    );
    return this.#io;
  }

  /** Waits for the worker's first message: what is sent before it listens would be lost. */
  #connect<T>(worker: Worker, name: string): Promise<Connected<T>> {
    return new Promise((resolve, reject) => {
      worker.addEventListener("message", function ready(event) {
        if (event.data !== WORKER_READY) return;
        worker.removeEventListener("message", ready);
        resolve({ worker, api: Comlink.wrap<T>(worker) });
      });
      worker.addEventListener("error", event => {
        const error = new Error(
          `The ${name} stopped: ${event.message || "it could not be loaded"}. Restart the machine; what was flushed is safe.`,
        );
        reject(error);
        if (name === "I/O worker") this.#io = undefined;
        worker.terminate();
        this.#fail(error);
      });
    });
  }

  // --- One life of the guest

  #beginLife(vcpu: Connected<VcpuWorkerApi>, console: MessagePort, automation: MessagePort): Life {
    let prompt = false;
    let agentReady = false;
    const reached = () => {
      if (!prompt || !agentReady || this.#state !== "booting") return;
      this.#endStage("userspace");
      this.#setState("running", this.#rescue ? "rescue shell" : undefined);
      this.#ready.resolve();
    };
    const agent = new AgentClient(
      bytes => automation.postMessage(bytes),
      () => {
        agentReady = true;
        reached();
      },
    );
    automation.onmessage = (event: MessageEvent<Uint8Array>) => agent.receive(event.data);
    const watch = new PromptWatch(rescue => {
      this.#rescue = rescue;
      prompt = true;
      reached();
    });
    console.onmessage = (event: MessageEvent<Uint8Array>) => {
      watch.receive(event.data);
      if (this.#listeners.output.size === 0) this.#unheard.push(event.data);
      this.#emit("output", event.data);
    };
    const life = { vcpu, console, agent };
    this.#life = life;
    return life;
  }

  /** Resolves when the guest is gone and nothing touches its memory or, in its worker, its disks. */
  async #endLife(reason: string): Promise<void> {
    const life = this.#life;
    if (!life) return;
    this.#life = undefined;
    life.console.close();
    life.agent.close(reason);
    if (this.#servedByVcpu) {
      // Its disks are in that worker: flushed now, unless the worker hangs.
      await Promise.race([life.vcpu.api.close().catch(() => {}), sleep(CLOSE_TIMEOUT_MS)]);
    }
    life.vcpu.worker.terminate();
    if (!this.#servedByVcpu) await (await this.#io?.catch(() => undefined))?.api.detach();
  }

  #onVcpuEvent(life: Life, event: VcpuEvent): void {
    if (life !== this.#life) return;
    switch (event) {
      case "kernel":
        this.#endStage("firmware");
        this.#beginStage("kernel");
        return;
      case "userspace":
        this.#endStage("kernel");
        this.#beginStage("userspace");
        return;
      case "reboot":
        void this.start().catch(() => {});
        return;
      case "stopped":
        this.#setState("stopped");
        return;
    }
  }

  #fail(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#generation++;
    void this.#endLife(failure.message);
    this.#setState("failed", failure.message);
    this.#ready.reject(failure);
  }

  // --- Events

  #setState(state: MachineState, detail?: string): void {
    this.#state = state;
    this.#emit("state", state, detail);
  }

  /** Returns what ends the stage. */
  #beginStage(stage: BootStage): () => void {
    this.#stages = [...this.#stages, { stage, startMs: performance.now() - this.#startedAt }];
    this.#emit("boot", this.#stages);
    return () => this.#endStage(stage);
  }

  #endStage(stage: BootStage): void {
    this.#updateStage(stage, { endMs: performance.now() - this.#startedAt });
  }

  #updateStage(stage: BootStage, change: Partial<BootStageTiming>): void {
    this.#stages = this.#stages.map(timing => (timing.stage === stage ? { ...timing, ...change } : timing));
    this.#emit("boot", this.#stages);
  }

  #emit<E extends keyof MachineEvents>(event: E, ...args: Parameters<MachineEvents[E]>): void {
    for (const listener of this.#listeners[event])
      (listener as (...args: Parameters<MachineEvents[E]>) => void)(...args);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

/** Does this host show stores to other threads in program order, as x86 does? Where the browser does not say: no. */
async function isStronglyOrderedHost(): Promise<boolean> {
  const { userAgentData } = navigator as unknown as {
    userAgentData?: { getHighEntropyValues(hints: string[]): Promise<{ architecture?: string }> };
  };
  const values = await userAgentData?.getHighEntropyValues(["architecture"]).catch(() => undefined);
  return values?.architecture === "x86";
}
