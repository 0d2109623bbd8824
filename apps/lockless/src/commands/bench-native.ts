// SPDX-License-Identifier: MIT
import { formatNativeResults, NATIVE_EXPERIMENTS, runNativeBench } from '@lockless/native-bench';
import { EXIT, UsageError } from '../exit-code.js';
import type { Io } from '../io.js';
import { NativeBenchProgressLine } from '../progress.js';

export interface NativeFlags {
  experiment?: readonly string[];
  pages: number;
  rounds: number;
  json?: true;
}

/** `lockless bench native`. An interrupt prints what was measured so far. */
export async function benchNative({ experiment, pages, rounds, json }: NativeFlags, io: Io): Promise<number> {
  const unknown = experiment?.find((name) => !NATIVE_EXPERIMENTS.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--experiment: ${unknown} is none of ${NATIVE_EXPERIMENTS.join(', ')}`);
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new NativeBenchProgressLine(io.stderr);
  try {
    const results = await runNativeBench({
      ...(experiment === undefined ? {} : { experiments: experiment }),
      pages,
      effort: { rounds },
      onProgress: (at) => progress.show(at),
      signal: abort.signal,
    });
    progress.stop();
    io.stdout.write(`${json ? JSON.stringify(results) : formatNativeResults(results)}\n`);
    return results.complete ? EXIT.holds : EXIT.interrupted;
  } finally {
    progress.stop();
    ignoreInterrupt();
  }
}
