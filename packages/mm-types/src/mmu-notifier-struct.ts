// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, SpinLock, StructOf } from '@lockless/cpu';
import { HlistHead, struct } from '@lockless/cpu';

/** struct mmu_notifier_mm: the MMU notifiers of an mm. Lives as long as the mm once the first has been registered. */
export interface MmuNotifierMm {
  /** Walked under RCU. */
  list: Embed<HlistHead>;
  /** Serialises changes of the list. */
  lock: SpinLock;
}
export const MmuNotifierMm: StructOf<MmuNotifierMm> = struct<MmuNotifierMm>('mmu_notifier_mm', {
  list: HlistHead,
  lock: 1,
});
