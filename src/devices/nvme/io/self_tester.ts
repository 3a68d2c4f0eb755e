import { IoVector } from "../../../storage/io_vector.ts";
import type { Namespace } from "../namespace.ts";
import { Control, SelfTestCode, SelfTestResult, SelfTestSegment, type SharedState } from "../shared_state.ts";
import { NSID_ALL } from "../spec/entries.ts";

/** Bytes that one step reads. A divisor of what the disks' sizes are multiples of is not needed: the last is shorter. */
const STEP_BYTES = 256 << 10;
/** Places on each namespace that the short test reads. The extended test reads everything. */
const SHORT_STEPS = 64;
/** Steps after which the serving side looks at its queues again. */
const STEPS_PER_TURN = 8;

interface Target {
  readonly namespace: Namespace;
  /** Byte offsets that are read. */
  readonly offsets: readonly number[];
}

/**
 * Device Self-test where the disks are (NVMe 1.4, section 8.11): it tests its own buffer, and reads the media, a part
 * of it or all. One step at a time, between the guest's commands. What aborts a test is the vCPU thread's to say.
 */
export class SelfTester {
  readonly #shared: SharedState;
  readonly #namespaces: ReadonlyMap<number, Namespace>;
  /** The test that runs, and those of its reads that are still to come. */
  #running = 0;
  #targets: Target[] = [];
  #steps = 0;
  #stepsDone = 0;
  #waitsForStorage = false;
  #vector: IoVector | undefined;

  constructor(shared: SharedState, namespaces: ReadonlyMap<number, Namespace>) {
    this.#shared = shared;
    this.#namespaces = namespaces;
  }

  /** Does it wait for storage? */
  get pending(): boolean {
    return this.#waitsForStorage;
  }

  /** Goes on with the test that the vCPU thread has asked for, if there is one. */
  step(): void {
    const shared = this.#shared;
    const wanted = shared.getControl(Control.SELF_TEST);
    if (wanted === shared.getControl(Control.SELF_TEST_ACK)) return;
    if (wanted !== this.#running) this.#begin(wanted);
    if (shared.getControl(Control.SELF_TEST_ABORT) === wanted) {
      this.#finish(SelfTestResult.passed);
      return;
    }
    if (this.#waitsForStorage) return;
    for (let left = STEPS_PER_TURN; left > 0; left--) if (!this.#read()) return;
    // More of it, after a look at the queues.
    shared.serverNotifier.set();
  }

  #begin(id: number): void {
    const shared = this.#shared;
    this.#running = id;
    const nsid = shared.getControl(Control.SELF_TEST_NSID) >>> 0;
    const isExtended = shared.getControl(Control.SELF_TEST_CODE) === SelfTestCode.extended;
    // Namespace 0 stands for none of them: the controller alone.
    const chosen = [...this.#namespaces.values()].filter(each => nsid === NSID_ALL || each.nsid === nsid);
    this.#targets = chosen.map(namespace => ({ namespace, offsets: places(namespace, isExtended) }));
    this.#steps = this.#targets.reduce((sum, { offsets }) => sum + offsets.length, 0);
    this.#stepsDone = 0;
    this.#vector = new IoVector(new Uint8Array(STEP_BYTES), 1);
  }

  /** One read. False if there is nothing more to do for now. */
  #read(): boolean {
    const vector = this.#vector;
    if (!vector) return false;
    if (this.#stepsDone === 0 && !isSound(vector.memory)) {
      this.#finish(SelfTestResult.failedInSegment, SelfTestSegment.ram);
      return false;
    }
    const place = this.#place(this.#stepsDone);
    if (!place) {
      this.#finish(SelfTestResult.passed);
      return false;
    }
    const { namespace, offset, length } = place;
    if (this.#namespaces.get(namespace.nsid)?.disk !== namespace.disk) {
      this.#finish(SelfTestResult.namespaceRemoved);
      return false;
    }
    vector.clear();
    vector.add(0, length);
    if (!namespace.disk.tryRead(offset, vector)) {
      this.#load(namespace, offset, length);
      return false;
    }
    this.#stepsDone += 1;
    const percent = Math.min(99, Math.floor((this.#stepsDone * 100) / this.#steps));
    this.#shared.setControl(Control.SELF_TEST_PROGRESS, percent);
    return true;
  }

  #place(step: number) {
    for (const { namespace, offsets } of this.#targets) {
      if (step < offsets.length) {
        const offset = offsets[step];
        return { namespace, offset, length: Math.min(STEP_BYTES, namespace.disk.byteLength - offset) };
      }
      step -= offsets.length;
    }
    return undefined;
  }

  #load(namespace: Namespace, offset: number, length: number): void {
    const id = this.#running;
    this.#waitsForStorage = true;
    namespace.disk.prepare("read", offset, length).then(
      () => this.#loaded(),
      () => {
        if (id === this.#running && this.#namespaces.get(namespace.nsid)?.disk !== namespace.disk) {
          this.#finish(SelfTestResult.namespaceRemoved);
        } else if (id === this.#running) {
          const lba = offset / 2 ** namespace.lbaShift;
          this.#finish(SelfTestResult.failedInSegment, SelfTestSegment.media, namespace.nsid, lba);
        }
        this.#loaded();
      },
    );
  }

  #loaded(): void {
    this.#waitsForStorage = false;
    this.#shared.serverNotifier.set();
  }

  #finish(result: number, segment = 0, nsid = 0, lba = 0): void {
    const shared = this.#shared;
    this.#targets = [];
    this.#vector = undefined;
    shared.setControl(Control.SELF_TEST_PROGRESS, 0);
    shared.setControl(Control.SELF_TEST_RESULT, result);
    shared.setControl(Control.SELF_TEST_SEGMENT, segment);
    shared.setControl(Control.SELF_TEST_FAILING_NSID, nsid);
    shared.setControl(Control.SELF_TEST_FAILING_LBA_LOW, lba | 0);
    shared.setControl(Control.SELF_TEST_FAILING_LBA_HIGH, lba / 2 ** 32);
    shared.setControl(Control.SELF_TEST_ACK, this.#running);
    shared.vcpuNotifier.set();
  }
}

function places({ disk }: Namespace, all: boolean): number[] {
  const steps = Math.ceil(disk.byteLength / STEP_BYTES);
  const count = all ? steps : Math.min(steps, SHORT_STEPS);
  // The first and the last are among them.
  return Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.round((i * (steps - 1)) / (count - 1)) * STEP_BYTES,
  );
}

/** Does memory keep what is written to it? */
function isSound(memory: Uint8Array): boolean {
  return [0x55, 0xaa].every(value => memory.fill(value).every(byte => byte === value));
}
