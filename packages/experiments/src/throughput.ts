// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import type { CachedFile } from './cached-file.js';

/** For how many operations. */
export interface Extent {
  /** Operations of each CPU until its cache holds what it holds from then on. */
  readonly warmUp: number;
  /** Operations for each CPU in which time is taken. */
  readonly counted: number;
}

export interface Throughput {
  /** By all CPUs together, by virtual time. */
  readonly perMicrosecond: number;
  /** By those whose operations are not counted. */
  readonly othersPerMicrosecond: number;
  /** Share of the CPUs' time in which they waited for cache lines. */
  readonly stalled: number;
  /** Share of their time in which they waited for the line of the lock in question: the file's tree_lock. */
  readonly stalledOnLock: number;
}

/** What a CPU does again and again; returns how many operations that was. */
export type Work = () => Op<number>;

/**
 * Lets CPUs work side by side until each is warm, and then until they have completed so many operations, and takes the time of the latter.
 * `counts`: whose operations are; the others only work meanwhile, if they get to it.
 */
export function throughput(
  cached: Pick<CachedFile, 'machine' | 'run' | 'lockStall'>,
  cpus: number,
  { warmUp, counted }: Extent,
  workOf: (cpu: number) => Work,
  counts: (cpu: number) => boolean = () => true,
): Throughput {
  const { machine } = cached;
  const now = () => ({
    time: machine.cpuTime,
    stalled: machine.coherence?.statistics.stalled ?? 0,
    onLock: cached.lockStall(),
  });
  let cold = Array.from({ length: cpus }, (_, cpu) => cpu).filter(counts).length;
  let operations = 0;
  let others = 0;
  let begin = now();
  let end: typeof begin | null = null;
  cached.run(cpus, function* (cpu) {
    const work = workOf(cpu);
    for (let own = 0, warm = false; end === null; ) {
      const done = yield* work();
      own += done;
      if (!counts(cpu)) {
        if (cold === 0 && end === null) others += done;
      } else if (!warm && own >= warmUp) {
        warm = true;
        if (--cold === 0) begin = now();
      } else if (cold === 0) {
        operations += done;
        if (operations >= counted * cpus) end ??= now();
      }
    }
  });
  const last = end ?? now();
  const time = last.time - begin.time;
  return {
    perMicrosecond: (operations / time) * 1000,
    othersPerMicrosecond: (others / time) * 1000,
    stalled: (last.stalled - begin.stalled) / (time * cpus),
    stalledOnLock: (last.onLock - begin.onLock) / (time * cpus),
  };
}
