// SPDX-License-Identifier: GPL-2.0-only
import { accesses } from './experiments/accesses.js';
import { files } from './experiments/files.js';
import { lookup, webAssembly, workingSet } from './experiments/lookup.js';
import { besideWriter, twoThreads } from './experiments/two-threads.js';
import { type Effort, Interrupted, type Session } from './measure.js';
import { describeMachine, type NativeFigure, type NativeResults, type Skipped } from './results.js';

/** What can be measured, by name, in the order in which it is. */
const EXPERIMENTS: Readonly<Record<string, (session: Session) => Promise<void>>> = {
  accesses,
  wasm: webAssembly,
  lookup,
  'working set': workingSet,
  'two threads': twoThreads,
  'beside a writer': besideWriter,
  files,
};
export const NATIVE_EXPERIMENTS: readonly string[] = Object.keys(EXPERIMENTS);

export interface NativeBenchProgress {
  readonly experiment: string;
  readonly what: string;
  /** Experiments that are over, of how many. */
  readonly done: number;
  readonly total: number;
}

export interface NativeBenchOptions {
  /** Default: all. */
  readonly experiments?: readonly string[];
  readonly effort?: Partial<Effort>;
  /** Of the file, a power of 4. Default 16,384: 64 MiB. */
  readonly pages?: number;
  readonly onProgress?: (at: NativeBenchProgress) => void;
  /** Ends it; what was measured so far is the result. */
  readonly signal?: AbortSignal;
}

const EFFORT: Effort = { rounds: 25, burstNs: 10e6, warmUpNs: 250e6 };

/** Measures the native build on this machine. The calling thread only waits. Throws RangeError for an experiment that does not exist. */
export async function runNativeBench(options: NativeBenchOptions = {}): Promise<NativeResults> {
  const { experiments = NATIVE_EXPERIMENTS, pages = 1 << 14, onProgress, signal } = options;
  const unknown = experiments.find((name) => !Object.hasOwn(EXPERIMENTS, name));
  if (unknown !== undefined) throw new RangeError(`${unknown} is none of ${NATIVE_EXPERIMENTS.join(', ')}`);
  const machine = describeMachine();
  const figures: NativeFigure[] = [];
  const skipped: Skipped[] = [];
  let done = 0;
  const session: Session = {
    effort: { ...EFFORT, ...options.effort },
    pages,
    figures,
    skipped,
    step(experiment, what) {
      if (signal?.aborted) throw new Interrupted();
      onProgress?.({ experiment, what, done, total: experiments.length });
    },
  };
  let complete = true;
  try {
    for (const name of experiments) {
      await EXPERIMENTS[name](session);
      done++;
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    complete = false;
  }
  return { machine, figures, skipped, complete };
}
