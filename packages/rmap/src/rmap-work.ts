// SPDX-License-Identifier: GPL-2.0-only
import { defineStatic, type Ptr, peek, poke, type StructOf, struct } from '@lockless/cpu';

/** Work done since boot. Counted outside of any access: nothing depends on it. */
export interface RmapWork {
  /** page_add_anon_rmap(), page_add_new_anon_rmap(), page_add_file_rmap(), page_dup_rmap(). */
  added: number;
  /** page_remove_rmap(). */
  removed: number;
  /** Areas and entries that try_to_unmap() looked at. */
  unmapSteps: number;
  /** Areas and entries that page_referenced() looked at. */
  referencedSteps: number;
}
const RmapWork: StructOf<RmapWork> = struct<RmapWork>('rmap_work', {
  added: 1,
  removed: 1,
  unmapSteps: 1,
  referencedSteps: 1,
});
const work: Ptr<RmapWork> = defineStatic(RmapWork, 'rmap_work');

export function countRmap(step: keyof RmapWork): void {
  const counter = RmapWork[step](work);
  poke(counter, peek(counter) + 1);
}

/** What was counted; looked at from outside. */
export const rmapWork = (): RmapWork => ({
  added: peek(RmapWork.added(work)),
  removed: peek(RmapWork.removed(work)),
  unmapSteps: peek(RmapWork.unmapSteps(work)),
  referencedSteps: peek(RmapWork.referencedSteps(work)),
});
