// SPDX-License-Identifier: MIT
import type { Heap } from '@lockless/cpu';
import type { MachineConfig } from '../options.js';
import { Random } from '../random.js';
import type { CommitListener, Memory } from './memory.js';
import { ScMemory } from './sc-memory.js';

/** The memory that the configuration asks for. */
export function memoryOf(config: MachineConfig, heap: Heap, listener: CommitListener): Memory {
  void new Random(config.seed, 1);
  return new ScMemory(heap.words, listener);
}
