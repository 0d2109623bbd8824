// SPDX-License-Identifier: GPL-2.0-only
import { NR_CPUS, peek, type Ref } from '@lockless/cpu/native';
import { type VmEventName, vmEvents, type ZoneStatName, zonePageState } from '@lockless/page/native';
import { usedRecords } from './file-table.js';
import { peekHits, peekRetries, repairs } from './shared-words.js';

/** Counters of /proc/vmstat by their names there (pages), what the lookups met, and ours. Events only grow. */
export type Statistics = Readonly<Record<VmEventName | ZoneStatName, number>> & {
  /** Bytes of frames. */
  readonly budget: number;
  /** Threads that take part. */
  readonly threads: number;
  /** Files that the cache knows. */
  readonly files: number;
  /** Pages that were read without a reference, because they were hot. */
  readonly peek_hits: number;
  /** Pages that could not. */
  readonly peek_misses: number;
  /** Threads that died and were cleared away. */
  readonly repairs: number;
};

const sum = (word: (cpu: number) => Ref<number>): number => {
  let total = 0;
  for (let cpu = 0; cpu < NR_CPUS; cpu++) total += peek(word(cpu));
  return total;
};

export const statisticsOf = (budget: number, threads: number): Statistics => ({
  ...vmEvents(),
  ...zonePageState(),
  budget,
  threads,
  files: usedRecords().length,
  peek_hits: sum(peekHits),
  peek_misses: sum(peekRetries),
  repairs: peek(repairs),
});
