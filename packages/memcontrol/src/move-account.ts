// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicInc, load, NULL, store } from '@lockless/cpu';
import { EBUSY, type Page } from '@lockless/mm-types';
import { addToGroup, removeFromGroup } from './charge.js';
import { MemCgroup, putMemCgroup } from './mem-cgroup.js';
import { lockPageCgroup, PageCgroup, pageGetPageCgroup, unlockPageCgroup } from './page-cgroup.js';
import { resCounterCharge, resCounterUncharge } from './res-counter.js';

/**
 * mem_cgroup_move_account(): a page that is charged to `from` is charged to `to`.
 * *Context*: a reference. *Returns* 0; -ENOMEM: `to` has no room; -EBUSY: it is not charged to `from`.
 * *Source*: mm/memcontrol.c, 2.6.29 to 3.1, where the caller has counted it in `to`.
 */
export function* memCgroupMoveAccount(page: Ptr<Page>, from: Ptr<MemCgroup>, to: Ptr<MemCgroup>): Op<number> {
  const noRoom = yield* resCounterCharge(MemCgroup.res(to), 1);
  if (noRoom !== 0) return noRoom;
  yield* lockPageCgroup(page);
  const pc = yield* pageGetPageCgroup(page);
  const moves = pc !== NULL && (yield* load(PageCgroup.memCgroup(pc))) === from;
  if (moves && pc !== NULL) {
    yield* removeFromGroup(from, pc);
    yield* store(PageCgroup.memCgroup(pc), to);
    yield* atomicInc(MemCgroup.css(to));
    yield* addToGroup(to, pc);
  }
  yield* unlockPageCgroup(page);
  yield* resCounterUncharge(MemCgroup.res(moves ? from : to), 1);
  if (!moves) return -EBUSY;
  yield* putMemCgroup(from);
  return 0;
}
