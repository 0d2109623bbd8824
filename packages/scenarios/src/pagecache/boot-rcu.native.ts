// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { bootUrcu } from '@lockless/rcu';

/** As many CPUs as a program has threads, at most. */
const NR_CPUS = 4;

/** User-space RCU: natively grace periods are made of words. */
export function* bootRcu(): Op<void> {
  yield* bootUrcu(NR_CPUS);
}
