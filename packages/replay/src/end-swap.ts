// SPDX-License-Identifier: GPL-2.0-only
import { current, KernelBug, type Op, store, TaskStruct } from '@lockless/cpu';
import { swapMapAgrees, swapoffAll } from '@lockless/mm';
import { EINTR } from '@lockless/mm-types';
import { swapAreas } from '@lockless/pagecache';

/** Nobody has memory any more: each place that is in use is the swap cache's alone, and swapoff frees them all. */
export function* endSwap(): Op<void> {
  const leak = swapMapAgrees([]);
  if (leak !== null) throw new KernelBug('swap-map-agrees', leak);
  while ((yield* swapoffAll()) === -EINTR) yield* store(TaskStruct.signalPending(current()), 0);
}

/** What is wrong after that, or null. */
export function placesLeft(): string | null {
  const left = swapAreas().reduce((sum, { users }) => sum + users.size, 0);
  return left === 0 ? null : `${left} places of the swap area are in use`;
}
