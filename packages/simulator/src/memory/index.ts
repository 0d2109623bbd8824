// SPDX-License-Identifier: MIT
import type { Heap } from '@lockless/cpu';
import type { MachineConfig } from '../options.js';
import { Random } from '../random.js';
import type { CommitListener, Memory } from './memory.js';
import { ScMemory } from './sc-memory.js';
import { TsoMemory } from './tso-memory.js';
import { WeakMemory } from './weak-memory.js';

/** The memory that the configuration asks for. */
export function memoryOf(config: MachineConfig, heap: Heap, listener: CommitListener): Memory {
  const random = new Random(config.seed, 1);
  switch (config.model) {
    case 'sc':
      return new ScMemory(heap.words, listener);
    case 'tso':
      return new TsoMemory(heap.words, listener, random, config.cpus);
    case 'weak':
      return new WeakMemory(heap.words, listener, random, config.cpus, () => heap.end);
  }
}
