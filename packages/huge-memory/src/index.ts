// SPDX-License-Identifier: GPL-2.0-only
export { changeHugePmd, moveHugePmd } from './change-huge-pmd.js';
export {
  collapseHugePage,
  hugePagesAllowed,
  hugepageVmaRevalidate,
} from './collapse-huge-page.js';
export { type CollapseControl, hpageCollapseScanPmd, type ScanResult } from './collapse-scan.js';
export * from './config.js';
export { copyHugePmd, type HugeCopy } from './copy-huge-pmd.js';
export { hugeCountsAgree } from './counts-inspect.js';
export { pageGetGpCookie } from './gp-cookie.js';
export {
  doHugePmdAnonymousPage,
  doHugePmdWpPage,
  followTransHugePmd,
  type HugeFault,
  hugePageFits,
  replaceHugePage,
} from './huge-memory.js';
export { doHugePmdWpZeroPage, doHugePmdZeroPage } from './huge-zero-fault.js';
export { hugeZeroPage, hugeZeroPageInit, isHugeZeroPmd } from './huge-zero-page.js';
export { hugePagesInit } from './init.js';
export {
  khugepaged,
  khugepagedInit,
  khugepagedRuns,
  khugepagedScanMmSlot,
  khugepagedTick,
  stopKhugepaged,
} from './khugepaged.js';
export { khugepagedEnter, khugepagedExit, MmSlot, scanHead, scanSlot } from './khugepaged-slots.js';
export { gupHugePmd, migrateHugePage } from './migrate-huge-page.js';
export { splitFrozen, tryGetCompoundHead } from './split-freeze.js';
export { pageTransCompoundAnonSplit, splitHugePage, splitHugePagePmd, waitSplitHugePage } from './split-huge-page.js';
export { nthPage, splitHugePageRefcount } from './split-refcount.js';
export { tailCountsStable } from './tail-counts-stable.js';
