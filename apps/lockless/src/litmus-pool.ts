// SPDX-License-Identifier: MIT
import { Tinypool } from 'tinypool';
import { type LitmusOptions, type LitmusRun, runLitmus } from './litmus-run.js';
import type { LitmusTask } from './litmus-worker.js';

/** Runs tests; the results come in the order of the files. */
export type RunTests = (files: readonly string[], options: LitmusOptions) => AsyncIterable<LitmusRun>;

/** In this thread: nothing to start, so a script that runs a hundred small tests waits for them alone. */
export async function* inThisThread(files: readonly string[], options: LitmusOptions): AsyncGenerator<LitmusRun> {
  for (const file of files) yield runLitmus(file, options);
}

/** In other threads, so that this one can show progress and be interrupted: then the rest is dropped. */
export const inThreads = (threads: number, signal: AbortSignal): RunTests =>
  async function* run(files, options) {
    const pool = new Tinypool({
      filename: new URL('./litmus-worker.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: threads,
      isolateWorkers: false,
    });
    const stop = (): void => void pool.destroy();
    signal.addEventListener('abort', stop);
    const runs = files.map(
      (file): Promise<LitmusRun> => pool.run({ file, options } satisfies LitmusTask, { name: 'work' }),
    );
    // A test that nobody waits for yet must not be an unhandled rejection.
    for (const run of runs) run.catch(() => {});
    try {
      for (const run of runs) yield await run;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      await pool.destroy();
    }
  };
