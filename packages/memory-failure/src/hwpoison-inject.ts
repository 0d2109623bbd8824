// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { ENXIO } from '@lockless/mm-types';
import { getPageUnlessZeroExempt, pageLru, pfnToPage, pfnValid, putPage } from '@lockless/page';
import { type KillProcs, MF_COUNT_INCREASED, memoryFailure, shakePage } from './memory-failure.js';

/**
 * hwpoison_inject(): pretends that a frame has failed, if it has an owner on whom to try it.
 * *Context*: may sleep. *Returns* as {@link memoryFailure}; 0 also when nobody has the frame, or the kernel itself.
 * *Source*: mm/hwpoison-inject.c, 3.1. *Differs*: no filter, which is what the kernel has the reference for.
 */
export function* hwpoisonInject(pfn: number, kill?: KillProcs): Op<number> {
  if (!pfnValid(pfn)) return -ENXIO;
  const page = pfnToPage(pfn);
  if (!(yield* getPageUnlessZeroExempt(page, 'hwpoisonInject'))) return 0;
  if (!(yield* pageLru(page))) yield* shakePage(page);
  if (yield* pageLru(page)) return yield* memoryFailure(pfn, MF_COUNT_INCREASED, kill);
  yield* putPage(page);
  return 0;
}
