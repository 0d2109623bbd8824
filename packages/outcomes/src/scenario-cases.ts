// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug } from '@lockless/cpu/native';
import type { Scenario } from '@lockless/scenarios/native';
import { scenarios } from '@lockless/scenarios/native';
import { type Cases, type Key, share, type Tally } from './cases.js';
import {
  type Booted,
  bootedImage,
  bootImage,
  firstDifference,
  IMAGE_WORDS,
  Image,
  resetImage,
} from './image-engine.js';
import { drawNoise, endNoise, seedNoise } from './noise.js';
import type { ThreadData } from './protocol.js';
import { clearResult, RESULT_WORDS, readResult, writeResult } from './results.js';

/** Of a batch. */
export const INSTANCES = 256;
/** Bytes of the memories of all instances, and of the one in which the program was booted. */
export const SCENARIO_BYTES: number = 4 * (INSTANCES + 1) * IMAGE_WORDS;
/** Batches between two proofs that nothing is left in a memory of the instance before. */
const PROOF = 100;
/** What an outcome that breaks a claim begins with. */
export const BROKEN = 'violated: ';

/** Instances of a scenario's program, stripped: the threads that the checker proves, on threads. */
export class ScenarioCases implements Cases {
  readonly instances: number = INSTANCES;
  readonly threads: number;
  private readonly scenario: Scenario;
  private readonly noise: boolean;
  private readonly names: readonly string[];
  private readonly images: readonly Image[];
  private readonly template: Image;
  private readonly results: Int32Array;
  readonly delays: readonly number[] = [1, 1, 4, 16, 64, 256, 1024];
  private booted: Booted | null = null;
  private shared: unknown = null;
  private batches = 0;

  constructor(name: string, seed: number, { thread, noise, words: memory, out }: ThreadData) {
    this.scenario = scenarioNamed(name);
    this.noise = noise;
    seedNoise(seed + thread * 7919);
    this.names = Object.keys(this.scenario.threads);
    this.threads = this.names.length;
    this.template = new Image(memory, INSTANCES, thread);
    this.images = Array.from({ length: INSTANCES }, (_, i) => new Image(memory, i, thread));
    this.results = new Int32Array(out);
  }

  /** One thread boots, before the others restore(). */
  boot(): void {
    this.template.words.fill(0);
    this.template.enter();
    writeResult(this.results, 0, { result: this.scenario.setup() });
  }

  /** All threads, once it is booted. */
  private restore(from: number, to: number): Booted {
    const setup = readResult(this.results, 0);
    if ('bug' in setup) throw new Error(setup.bug);
    this.shared = setup.result;
    const booted = bootedImage(this.template.words, this.threads);
    for (let i = from; i < to; i++) bootImage(this.images[i].words, booted);
    return booted;
  }

  /** Nothing to draw: every instance is the same. */
  draw(): void {}

  prepare(thread: number): void {
    const [from, to] = share(INSTANCES, thread, this.threads);
    this.booted ??= this.restore(from, to);
    for (let i = from; i < to; i++) {
      resetImage(this.images[i].words, this.booted);
      for (let each = 0; each < this.threads; each++) clearResult(this.results, this.slot(i, each));
    }
    if (this.batches++ % PROOF === 0)
      this.proveReset(from + (Math.floor(this.batches / PROOF) % (to - from)), this.booted);
  }

  /** An instance must not see what the one before has left, wherever it is. */
  private proveReset(i: number, booted: Booted): void {
    const { words } = this.images[i];
    const at = firstDifference(words, booted);
    if (at >= 0) throw new Error(`an instance of ${this.scenario.name} has left ${words[at]} at word ${at}`);
  }

  run(thread: number, meet: (instance: number) => void): void {
    const body = this.scenario.threads[this.names[thread]];
    for (let i = 0; i < INSTANCES; i++) {
      this.images[i].enter();
      if (this.noise) drawNoise();
      meet(i);
      try {
        const result = body(this.shared);
        writeResult(this.results, this.slot(i, thread), { result });
      } catch (error) {
        writeResult(this.results, this.slot(i, thread), { bug: bugText(error) });
      }
    }
    if (this.noise) endNoise();
  }

  count(thread: number, tally: Tally): void {
    const [from, to] = share(INSTANCES, thread, this.threads);
    for (let i = from; i < to; i++) tally.add(this.outcome(i));
  }

  private outcome(i: number): string {
    const results: Record<string, unknown> = {};
    for (const [thread, name] of this.names.entries()) {
      const ended = readResult(this.results, this.slot(i, thread));
      if ('bug' in ended) return `${BROKEN}${ended.bug}`;
      results[name] = ended.result;
    }
    const reached: string[] = [];
    try {
      this.images[i].enter();
      this.scenario.finally?.(this.shared, { results, reach: (label) => void reached.push(label) });
    } catch (error) {
      return `${BROKEN}${bugText(error)}`;
    }
    return reached.length === 0 ? 'ended' : reached.join('; ');
  }

  describe(key: Key): string {
    return String(key);
  }

  /** The first slot is for what setup shares. */
  private slot(i: number, thread: number): number {
    return RESULT_WORDS * (1 + i * this.threads + thread);
  }
}

/** Addresses and values in a message differ from instance to instance. */
function bugText(error: unknown): string {
  if (!(error instanceof KernelBug)) throw error;
  return error.message.replace(/\d{4,}/g, 'N');
}

function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new RangeError(`no native scenario '${name}': one of ${scenarios.map((each) => each.name).join(', ')}`);
  return found;
}
