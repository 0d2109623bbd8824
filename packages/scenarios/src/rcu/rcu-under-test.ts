// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { defineGuard } from '@lockless/cpu';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import type { Scenario } from '../scenario.js';

/** An RCU to be tried. */
export interface Rcu {
  /** Begins the names of its scenarios. */
  readonly prefix: string;
  readonly source: string;
  /** For that many CPUs. */
  boot(nrCpus: number): Op<void>;
  /** What each of its threads does around its work. */
  readonly thread?: <T>(work: () => Op<T>) => Op<T>;
  /** Grace periods that ended, where they are counted. */
  readonly gracePeriods?: () => number;
}

const takesReadLock = defineGuard('reader.rcuReadLock', 'the reader does not say that it reads');

/** A reader, if it says so. */
export function* reader<T>(read: () => Op<T>): Op<T> {
  if (!takesReadLock()) return yield* read();
  yield* rcuReadLock();
  const result = yield* read();
  yield* rcuReadUnlock();
  return result;
}

/** The threads of a program, as this RCU wants them. */
export const threadsOf = <S>(rcu: Rcu, threads: Record<string, (shared: S) => Op<unknown>>): typeof threads =>
  Object.fromEntries(
    Object.entries(threads).map(([name, work]) => [
      name,
      (shared) => (rcu.thread === undefined ? work(shared) : rcu.thread(() => work(shared))),
    ]),
  );

/** What its scenarios have in common. */
export const described = (
  rcu: Rcu,
  name: string,
  summary: string,
): Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'properties'> => ({
  name: `${rcu.prefix}-${name}`,
  facts: [],
  summary,
  source: rcu.source,
  properties: ['I11'],
});
