/** Rounds of work, interruption, restart and check, all on one browser profile. */
import { gunzipSync } from "node:zlib";
import type { Page } from "@playwright/test";
import { PersistentBrowser } from "../../e2e/persistent_browser.ts";
import type { Automation } from "../app/automation.ts";
import { bootPage } from "../bench/browser_guest.ts";
import { within } from "../bench/definitions/guest.ts";
import type { ServingMode } from "../machine/api.ts";
import { GENERATOR } from "./content.ts";
import { FILE_FUNCTIONS, Files, PREPARE_FILES, READ_FILES } from "./files.ts";
import { type Interruption, kill } from "./interruptions.ts";
import { Random } from "./random.ts";
import { RAW_BYTES, RAW_DEVICE, RAW_FUNCTIONS, RawDisk, type Violation } from "./raw_disk.ts";

/** Rounds take these in turn. */
const servingModes: readonly ServingMode[] = ["iothread+poll", "iothread", "mainloop", "mmio"];
/** The browser is killed after so many acknowledged steps of work … */
const STEPS = { min: 1, max: 8 };
/** … and so many milliseconds more, about the length of a step or two. */
const DELAY_MS = { min: 0, max: 400 };
/** … or of booting: from opening the disks to the prompt. */
const BOOT_MS = { min: 0, max: 3500 };
/** The part of the rounds in which the start that follows is killed too. */
const BOOT_KILLS = 0.15;

export interface RoundResult {
  readonly round: number;
  /** How the I/O was served that was interrupted. */
  readonly serving: ServingMode;
  /** Steps of work that were acknowledged before the kill. */
  readonly steps: number;
  /** … of them those whose data had to be durable. */
  readonly durableSteps: number;
  /** Milliseconds from the first step to the kill. */
  readonly workMs: number;
  /** The start after the kill was killed too, after so many milliseconds. */
  readonly bootKilledAfterMs?: number;
  /** The whole round, in milliseconds. */
  readonly ms: number;
  /** What was lost or damaged; empty if all is well. */
  readonly violations: readonly Violation[];
}

/** One profile with its disks, the guest that works on them, and what is known of their content. */
export class CrashSession {
  readonly #browser: PersistentBrowser;
  readonly #seed: number;
  readonly #parameters: Readonly<Record<string, string>>;
  readonly #raw = new RawDisk();
  readonly #files = new Files();
  #page: Page | undefined;
  /** The page's machine has been interrupted and is not back yet. */
  #interrupted = false;
  #running: ServingMode = servingModes[0];
  #round = 0;

  /** `parameters` are added to the page's address in all rounds. */
  constructor(address: string, seed: number, parameters: Readonly<Record<string, string>> = {}) {
    this.#browser = new PersistentBrowser(address);
    this.#seed = seed;
    this.#parameters = parameters;
  }

  /** Where the disks are. */
  get profile(): string {
    return this.#browser.profile;
  }

  /** Works, is interrupted, comes back and checks. Throws when the guest does not do its part at all. */
  async round(interruption: Interruption = kill): Promise<RoundResult> {
    const start = performance.now();
    const random = new Random(this.#seed * 10_007 + this.#round);
    if (!this.#page) await this.#begin(random);
    const serving = this.#running;
    const work = await this.#workUntil(interruption, random);
    this.#round += 1;
    const bootKill =
      interruption === kill && random.chance(BOOT_KILLS)
        ? random.integer(BOOT_MS.min, BOOT_MS.max)
        : undefined;
    if (bootKill !== undefined) await this.#bootAndKill(bootKill);
    const violations = await this.#comeBackAndCheck(interruption.comeBack);
    return {
      round: this.#round,
      serving,
      ...work,
      ...(bootKill !== undefined && { bootKilledAfterMs: bootKill }),
      ms: performance.now() - start,
      violations,
    };
  }

  /** Ends the browser; the profile goes too unless it is to be kept for a look. */
  async end(keepProfile: boolean): Promise<void> {
    this.#page = undefined;
    await this.#browser.kill();
    if (!keepProfile) this.#browser.deleteProfile();
  }

  get #serving(): ServingMode {
    return servingModes[this.#round % servingModes.length];
  }

  get #path(): string {
    return `/?${new URLSearchParams({ serving: this.#serving, ...this.#parameters })}`;
  }

  /** The first start is killed while the disk is being seeded; the next one must begin it afresh. */
  async #begin(random: Random): Promise<void> {
    await this.#bootAndKill(random.integer(BOOT_MS.min, BOOT_MS.max));
    await this.#comeBack("open");
    await this.#exec(PREPARE_FILES);
  }

  async #comeBack(how: Interruption["comeBack"]): Promise<void> {
    const page = how === "open" || !this.#page ? await this.#browser.open("about:blank") : this.#page;
    if (how === "restart") await page.evaluate(() => (window.doorbell as Automation).restart());
    else {
      await bootPage(page, new URL(this.#path, this.#browser.baseUrl).href);
      this.#running = this.#serving;
    }
    this.#page = page;
    this.#interrupted = false;
    const rescue = await page.evaluate(() => (window.doorbell as Automation).rescue);
    if (rescue) throw new Error("The system disk did not mount: the guest is in its rescue shell.");
    await this.#exec([GENERATOR, RAW_FUNCTIONS, FILE_FUNCTIONS].join("\n"));
  }

  async #bootAndKill(ms: number): Promise<void> {
    await this.#browser.open(this.#path);
    await sleep(ms);
    await this.#browser.kill();
  }

  async #comeBackAndCheck(how: Interruption["comeBack"]): Promise<Violation[]> {
    try {
      await this.#comeBack(how);
    } catch (error) {
      return [violation("the start", error instanceof Error ? error.message : String(error), "a prompt")];
    }
    // Before anything is written.
    const log = await this.#exec(`dmesg | grep -iE '${BAD_LOG}' || true`);
    const raw = await this.#exec(
      `dd if=${RAW_DEVICE} bs=1M count=${RAW_BYTES / 2 ** 20} iflag=direct status=none | gzip -1 | base64`,
    );
    const files = await this.#exec(READ_FILES);
    // Read-only for the moment, so that the disk holds still and all of it is on the disk.
    const fsck = await this.#exec(
      "mount -o remount,ro / && { e2fsck -fn /dev/nvme0n1 2>&1; echo exit $?; mount -o remount,rw /; }",
    );
    const violations = [
      ...(
        log.match(/.*(EXT4-fs error|EXT4-fs warning|JBD2: .*(error|recovery failed)|I\/O error).*/gi) ?? []
      ).map(line => violation("the kernel's log", line, "no such line")),
      ...this.#raw.check(gunzipSync(Buffer.from(raw, "base64"))),
      ...this.#files.check(files),
      ...(/^exit 0$/m.test(fsck) ? [] : [violation("e2fsck -fn", fsck, "a clean file system")]),
    ];
    if (this.#files.tidy !== undefined) await this.#exec(this.#files.tidy);
    return violations;
  }

  /** Steps one after the other, until one is interrupted. */
  async #workUntil(interruption: Interruption, random: Random) {
    const start = performance.now();
    const least = random.integer(STEPS.min, STEPS.max);
    const delayMs = random.integer(DELAY_MS.min, DELAY_MS.max);
    let interrupting: Promise<number> | undefined;
    let stop = () => {};
    const stopped = new Promise<void>(resolve => {
      stop = resolve;
    });
    let steps = 0;
    let durableSteps = 0;
    try {
      for (;;) {
        if (steps === least) {
          interrupting = sleep(delayMs).then(() => this.#interrupt(interruption, start));
          interrupting.then(stop, stop);
        }
        const raw = this.#raw.nextStep(random);
        const file = random.chance(0.4) ? this.#files.nextStep(random) : undefined;
        // Both at once: two disks.
        const step = this.#exec(file ? `both ${file.command}; ${raw.command} && all` : raw.command);
        step.catch(() => {});
        // A worker that has ended without a word leaves it unanswered.
        await Promise.race([step, stopped]);
        if (this.#interrupted) break;
        this.#raw.acknowledged(raw);
        if (file) this.#files.acknowledged(file);
        steps += 1;
        if (file || raw.durable !== "none") durableSteps += 1;
      }
    } catch (error) {
      // What was interrupted was not acknowledged. Anything else is a failure of the machine.
      if (!this.#interrupted) throw error;
    }
    return { steps, durableSteps, workMs: (await interrupting) ?? 0 };
  }

  /** Milliseconds from the start of the work. */
  async #interrupt(interruption: Interruption, start: number): Promise<number> {
    this.#interrupted = true;
    const ms = performance.now() - start;
    if (this.#page) await interruption.interrupt(this.#page, this.#browser);
    return ms;
  }

  /** A command's output. Throws if it fails: no command of ours may. */
  async #exec(command: string): Promise<string> {
    if (!this.#page) throw new Error("The browser does not run.");
    const { output, exitCode } = await within(
      this.#page.evaluate(text => (window.doorbell as Automation).exec(text), command),
      command,
      60_000,
    );
    if (exitCode !== 0) throw new Error(`In the guest “${command}” ended with ${exitCode}: ${output}`);
    return output;
  }
}

/** Lines that the kernel may not print when it mounts a disk whose machine has died. */
const BAD_LOG = "EXT4-fs (error|warning)|JBD2.*(error|failed)|I/O error|Buffer I/O";
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
const violation = (where: string, found: string, allowed: string): Violation => ({ where, found, allowed });
