// SPDX-License-Identifier: GPL-2.0-only
import type { NativeMachine } from '@lockless/native';
import { radixTreeNodeCachep } from '@lockless/radix-tree/native';
import { rcuStatistics } from '@lockless/rcu/native';
import { valueCaches } from '@lockless/value-map/native';

/** What a map and its memory are at. Of a moment in which others may be writing: no snapshot. */
export interface SharedMapStatistics {
  /** Entries. */
  readonly size: number;
  /** Memory that was never used, in bytes; what was freed is used again by objects of the same size, and not counted here. */
  readonly bytesUntouched: number;
  /** Memory in use by values that are not integers of 30 bits, of all maps of the machine, in bytes. */
  readonly valueBytes: number;
  /** Chunks of such values. */
  readonly valueChunks: number;
  /** Nodes of the trees of all maps, and those kept at hand for insertions. */
  readonly nodes: number;
  /** Since the machine was made. */
  readonly gracePeriods: number;
  /** Values and nodes that readers may still be looking at. */
  readonly waitingForReaders: number;
  /** Threads that were terminated and after which this thread tidied up. */
  readonly deaths: number;
}

/** Of the machine, without the map's part. */
export function machineStatistics(machine: NativeMachine): Omit<SharedMapStatistics, 'size' | 'deaths'> {
  const names = new Set(valueCaches.map(({ type }) => type.$name));
  const caches = machine.cacheStatistics();
  const values = caches.filter(({ name }) => names.has(name));
  const { gracePeriods, callbacksQueued, callbacksInvoked } = rcuStatistics();
  return {
    bytesUntouched: machine.freeWords() * 4,
    valueBytes: values.reduce((sum, { live, words }) => sum + live * words * 4, 0),
    valueChunks: values.reduce((sum, { live }) => sum + live, 0),
    nodes: caches.find(({ name }) => name === radixTreeNodeCachep.type.$name)?.live ?? 0,
    gracePeriods,
    waitingForReaders: callbacksQueued - callbacksInvoked,
  };
}
