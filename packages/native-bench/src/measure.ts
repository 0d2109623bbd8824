// SPDX-License-Identifier: GPL-2.0-only
import { BenchThread, burstAlone, burstTogether } from './harness/bench-thread.js';
import { nsPerOperation, overlap } from './harness/overlap.js';
import { ratios, type Spread, spread } from './harness/statistics.js';
import { type SubjectSource, Unavailable } from './harness/subject.js';
import type { NativeFigure, Skipped } from './results.js';

/** How thoroughly something is measured. */
export interface Effort {
  readonly rounds: number;
  readonly burstNs: number;
  /** For how long a subject is run before, so that it is compiled. */
  readonly warmUpNs: number;
}

/** What an experiment is given. */
export interface Session {
  readonly effort: Effort;
  /** Pages of a file, where it does not matter how many. */
  readonly pages: number;
  readonly figures: NativeFigure[];
  readonly skipped: Skipped[];
  /** Tells how far it is. Throws {@link Interrupted} when it is over. */
  step(experiment: string, what: string): void;
}

export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export interface NamedSource extends SubjectSource {
  readonly name: string;
}

/** The least share of a burst in which both threads must be running for it to count. */
const LEAST_OVERLAP = 0.5;

/** Starts a thread for each subject; those that cannot run here are noted as skipped. */
async function startAll(
  session: Session,
  experiment: string,
  sources: readonly NamedSource[],
): Promise<Map<string, BenchThread>> {
  const threads = new Map<string, BenchThread>();
  try {
    for (const { name, ...source } of sources) {
      session.step(experiment, `starts ${name}`);
      try {
        threads.set(name, await BenchThread.start(source, session.effort));
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        session.skipped.push({ experiment, subject: name, reason: error.message });
      }
    }
    return threads;
  } catch (error) {
    await stopAll(threads.values());
    throw error;
  }
}

async function stopAll(threads: Iterable<BenchThread>): Promise<void> {
  for (const thread of threads) await thread.stop();
}

/** What one thread at a time needs for an operation, the subjects in turn, in another order each round: ns of each round, by subject. */
export async function measureAlone(
  session: Session,
  experiment: string,
  sources: readonly NamedSource[],
): Promise<Map<string, number[]>> {
  const { rounds, burstNs } = session.effort;
  const threads = await startAll(session, experiment, sources);
  try {
    const names = [...threads.keys()];
    const ns = new Map(names.map((name) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      session.step(experiment, `round ${round + 1} of ${rounds}`);
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + round) % names.length];
        const burst = await burstAlone(threads.get(name) as BenchThread, burstNs);
        (ns.get(name) as number[]).push(nsPerOperation(burst));
      }
    }
    for (const thread of threads.values()) await thread.close();
    return ns;
  } finally {
    await stopAll(threads.values());
  }
}

/** What two threads need for an operation, each alone and both at a time. By round; NaN where they did not overlap enough. */
export interface Pair {
  /** Operations of both threads together in a unit of time, times those of one alone. */
  readonly scaling: number[];
  /** Rate of the first thread beside the other, times its rate alone. */
  readonly kept: number[];
  readonly alone: readonly [number[], number[]];
  readonly together: readonly [number[], number[]];
  readonly overlap: number[];
  readonly counts: readonly Readonly<Record<string, number>>[];
}

/** Each round: the one alone, the other alone (the control), both together. *Returns* null when a subject cannot run here. */
export async function measurePair(
  session: Session,
  experiment: string,
  sources: readonly [NamedSource, NamedSource],
): Promise<Pair | null> {
  const { rounds, burstNs } = session.effort;
  const threads = await startAll(session, experiment, sources);
  try {
    const [first, second] = [...threads.values()];
    if (second === undefined) return null;
    const pair: Pair = { scaling: [], kept: [], alone: [[], []], together: [[], []], overlap: [], counts: [] };
    for (let round = 0; round < rounds; round++) {
      session.step(experiment, `${sources[0].name}, round ${round + 1} of ${rounds}`);
      const a = nsPerOperation(await burstAlone(first, burstNs));
      const b = nsPerOperation(await burstAlone(second, burstNs));
      const [burstA, burstB] = await burstTogether([first, second], 2 * burstNs);
      const both = overlap(burstA, burstB);
      const counts = both.share >= LEAST_OVERLAP;
      const [x, y] = counts ? both.ns : [Number.NaN, Number.NaN];
      pair.alone[0].push(a);
      pair.alone[1].push(b);
      pair.together[0].push(x);
      pair.together[1].push(y);
      pair.overlap.push(both.share);
      pair.scaling.push((1 / x + 1 / y) / ((1 / a + 1 / b) / 2));
      pair.kept.push(a / x);
    }
    const counts = [await first.close(), await second.close()];
    return { ...pair, counts };
  } finally {
    await stopAll(threads.values());
  }
}

/** The spread of what was measured, without rounds in which it was not; null when there was none. */
function spreadOf(values: readonly number[]): Spread | null {
  const measured = values.filter(Number.isFinite);
  return measured.length === 0 ? null : spread(measured);
}

/** Adds a figure, if there is anything to add. */
export function add(session: Session, figure: Omit<NativeFigure, keyof Spread>, values: readonly number[]): void {
  const measured = spreadOf(values);
  if (measured !== null) session.figures.push({ ...figure, ...measured });
}

/** Adds what a subject needs for an operation, and how many times what others need in the same round that is. */
export function addCosts(
  session: Session,
  experiment: string,
  ns: ReadonlyMap<string, number[]>,
  against: readonly string[],
  at?: number,
): void {
  const size = at === undefined ? {} : { at };
  for (const [subject, values] of ns) {
    add(session, { experiment, subject, measure: 'ns', ...size }, values);
    for (const other of against) {
      const over = ns.get(other);
      if (over !== undefined)
        session.figures.push({ experiment, subject, measure: `× ${other}`, ...size, ...ratios(values, over) });
    }
  }
}
