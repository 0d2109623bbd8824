// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug } from '@lockless/cpu/native';
import type { Scenario } from '@lockless/scenarios/native';
import { scenarios } from '@lockless/scenarios/native';
import type { Cases, Key, Tally } from './cases.js';
import { IMAGE_WORDS, Image, usedRanges } from './image-engine.js';
import { clearResult, RESULT_WORDS, readResult, writeResult } from './results.js';

const INSTANCES = 256;
/** Bytes of the memories of all instances, and of the one in which the program was booted. */
export const SCENARIO_BYTES: number = 4 * (INSTANCES + 1) * IMAGE_WORDS;
/** What an outcome that breaks a claim begins with. */
export const BROKEN = 'violated: ';

/** Instances of a scenario's program, stripped: the threads that the checker proves, on threads. */
export class ScenarioCases implements Cases {
  readonly instances: number = INSTANCES;
  readonly threads: number;
  private readonly scenario: Scenario;
  private readonly names: readonly string[];
  private readonly images: readonly Image[];
  private readonly template: Image;
  private readonly results: Int32Array;
  private ranges: readonly (readonly [number, number])[] | null = null;
  private shared: unknown = null;

  constructor(name: string, thread: number, memory: SharedArrayBuffer, out: SharedArrayBuffer) {
    this.scenario = scenarioNamed(name);
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
  restore(): void {
    const booted = readResult(this.results, 0);
    if ('bug' in booted) throw new Error(booted.bug);
    this.shared = booted.result;
    this.ranges = usedRanges(this.template.words);
  }

  /** Nothing to draw: every instance is the same. */
  draw(): void {}

  prepare(from: number, to: number): void {
    if (this.ranges === null) this.restore();
    for (let i = from; i < to; i++) {
      const { words } = this.images[i];
      for (const [low, high] of this.ranges ?? []) words.set(this.template.words.subarray(low, high), low);
      for (let thread = 0; thread < this.threads; thread++) clearResult(this.results, this.slot(i, thread));
    }
  }

  run(thread: number, meet: (instance: number) => void): void {
    const body = this.scenario.threads[this.names[thread]];
    for (let i = 0; i < INSTANCES; i++) {
      this.images[i].enter();
      meet(i);
      try {
        const result = body(this.shared);
        writeResult(this.results, this.slot(i, thread), { result });
      } catch (error) {
        writeResult(this.results, this.slot(i, thread), { bug: bugText(error) });
      }
    }
  }

  count(from: number, to: number, tally: Tally): void {
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
