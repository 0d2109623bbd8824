// SPDX-License-Identifier: GPL-2.0-only
import { median } from './statistics.js';

/** What a thread did without a pause of its own: the time at which each chunk of operations ended, in ns of a clock that all threads share. */
export interface Burst {
  /** The first is the beginning, each further one the end of a chunk. */
  readonly times: Float64Array;
  /** Operations in each chunk. */
  readonly chunk: number;
}

/** A chunk that took so much longer than usual is one in which the thread was not running: somebody else had its CPU. */
const STALL_NS = 400_000;
const STALL_FACTOR = 4;

interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** The chunks in which the thread was running. */
export function progress({ times }: Burst): Stretch[] {
  const chunks = Array.from({ length: times.length - 1 }, (_, i) => ({ from: times[i], to: times[i + 1] }));
  if (chunks.length === 0) return [];
  const usual = median(chunks.map(({ from, to }) => to - from));
  const longest = Math.max(usual * STALL_FACTOR, usual + STALL_NS);
  return chunks.filter(({ from, to }) => to - from <= longest);
}

/** Stretches that follow on each other as one. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of stretches) {
    const last = result.at(-1);
    if (last?.to === from) last.to = to;
    else result.push({ from, to });
  }
  return result;
}

/** Chunks of one thread that lie within stretches of the other; both ascend. */
function within(chunks: readonly Stretch[], stretches: readonly Stretch[]): Stretch[] {
  let at = 0;
  return chunks.filter(({ from, to }) => {
    while (at < stretches.length && stretches[at].to < to) at++;
    return at < stretches.length && stretches[at].from <= from;
  });
}

const length = (stretches: readonly Stretch[]): number => stretches.reduce((sum, { from, to }) => sum + to - from, 0);

/** The ns that an operation takes in those chunks. */
const perOperation = (chunks: readonly Stretch[], { chunk }: Burst): number => length(chunks) / (chunks.length * chunk);

/** What a thread alone needs for an operation, in ns; NaN when it never got on. */
export const nsPerOperation = (burst: Burst): number => perOperation(progress(burst), burst);

/** What two threads did at the same time. */
export interface Overlap {
  /** The ns that an operation of each thread takes, while the other one was running too. */
  readonly ns: readonly [number, number];
  /** Share of the time from the first beginning to the last end in which both were running. */
  readonly share: number;
}

/** Counts only chunks during the whole of which the other thread was getting on as well. */
export function overlap(a: Burst, b: Burst): Overlap {
  const [runsA, runsB] = [progress(a), progress(b)];
  const [bothA, bothB] = [within(runsA, joined(runsB)), within(runsB, joined(runsA))];
  const begin = Math.min(a.times[0], b.times[0]);
  const end = Math.max(a.times[a.times.length - 1], b.times[b.times.length - 1]);
  return {
    ns: [perOperation(bothA, a), perOperation(bothB, b)],
    share: Math.min(length(bothA), length(bothB)) / (end - begin),
  };
}
