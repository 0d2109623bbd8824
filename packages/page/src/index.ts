// SPDX-License-Identifier: GPL-2.0-only
export { prepNewCompoundPage } from './compound-alloc.js';
export {
  type CompoundPageDtor,
  compoundHead,
  compoundLock,
  compoundOrder,
  compoundPagesInUse,
  compoundTransHead,
  compoundUnlock,
  cookieOf,
  firstPage,
  headOf,
  pageCompound,
  pageHead,
} from './compound-page.js';
export { putCompoundPage, putHeadReference } from './compound-put.js';
export * from './mmzone.js';
export * from './page-alloc.js';
export * from './page-flags.js';
export { pageCacheFree } from './page-free.js';
export * from './page-hwpoison.js';
export * from './page-init.js';
export * from './page-inspect.js';
export * from './page-lock.js';
export * from './page-mapcount.js';
export * from './page-no-new-refs.js';
export * from './page-ref.js';
export * from './page-ref-rcu.js';
export * from './pagevec.js';
export * from './swap.js';
export * from './swap-deactivate.js';
export { markPageLazyfree, pageLazyfree, useLazyfree } from './swap-lazyfree.js';
export {
  compoundPagesInit,
  getPageFoll,
  pinsInTailCount,
  type TailPinsDesign,
} from './tail-counts.js';
export { type TailPins, tailPins } from './tail-pins.js';
export * from './vmstat.js';
