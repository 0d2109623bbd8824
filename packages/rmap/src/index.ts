// SPDX-License-Identifier: GPL-2.0-only
export * from './anon-vma.js';
export {
  pageLockAnonVmaRoot,
  pageTrylockAnonVma,
  pageUnlockAnonVmaRoot,
  rootedAnonVmaLink,
  rootedAnonVmaPrepare,
  rootedAnonVmaUnlink,
} from './anon-vma-root.js';
export { anonhdCachep, anonmmCachep } from './anonmm.js';
export * from './free-pgtables.js';
export { installFilePte, installPage, nonlinearIsFound, pageConvertNonlinear, zapPte } from './fremap.js';
export {
  type HugePmdOps,
  hugePmdsInUse,
  mkHugePmd,
  movedHugePmd,
  PTE_HUGE,
  pmdpGetAndClear,
  pmdpInvalidate,
  pmdTransHuge,
  pmdTransSplitting,
  ptePartOfHuge,
  setHugePmdOps,
  splitIfHuge,
} from './huge-pmd.js';
export { poisonMigrationPtes } from './hwpoison-ptes.js';
export * from './i-mmap.js';
export * from './invariants.js';
export { discardLazyfree } from './lazyfree.js';
export { leavesMigrationEntries, removeMigrationPtes } from './migration-ptes.js';
export * from './mm.js';
export * from './mmlist.js';
export * from './mmu-gather.js';
export * from './page-lock-anon-vma.js';
export * from './pgtable.js';
export * from './pte.js';
export * from './pte-access.js';
export { pteChainCachep } from './pte-chain.js';
export { pmdpSplittingFlushNotify, ptepClearFlushNotify } from './pte-notify.js';
export * from './pte-range.js';
export * from './rbtree.js';
export {
  anonmmReverseMapping,
  anonPagesHaveOneAddress,
  anonVmaPrepare,
  areaReverseMapping,
  mayHaveAnon,
  objReverseMapping,
  pageAddAnonRmap,
  pageAddFileRmap,
  pageAddNewAnonRmap,
  pageDupRmap,
  pageFromFault,
  pageMkclean,
  pageMoveRmap,
  pageReferenced,
  pageRemoveRmap,
  pteChainReverseMapping,
  type ReverseMapping,
  RMAP_DESIGNS,
  type RmapDesign,
  type RmapSpare,
  rmapPrepare,
  rmapRefill,
  rmapRelease,
  selectReverseMapping,
  tryToUnmap,
} from './reverse-mapping.js';
export { pageMappedInVma, SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS, type SwapResult } from './rmap.js';
export { pageConvertAnon } from './rmap-convert.js';
export { type RmapStatistics, rmapStatistics } from './rmap-statistics.js';
export { linearPageIndex, NOT_IN_VMA, pageCheckAddress, vmaAddress, walkAnonVmas, walkFileVmas } from './rmap-walk.js';
export { type SetPageDirty, setRmapHooks } from './set-page-dirty.js';
export * from './special-mapping.js';
export * from './swap-hooks.js';
export * from './swapops.js';
export * from './tlb.js';
export * from './unmap-mapping.js';
export * from './vma.js';
export * from './vma-adjust.js';
export * from './vma-merge.js';
export { type AreaView, areasOf, type PteVisitor, walkMm } from './walk-mm.js';
export { unmapVmas, type ZapDetails, zapPageRange } from './zap.js';
