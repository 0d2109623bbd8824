// SPDX-License-Identifier: GPL-2.0-only
export * from './access-process-vm.js';
export type { ArgPage } from './arg-pages.js';
export * from './boot.js';
export { type Content, readContent, writeContent } from './content.js';
export { copyPageRange } from './copy-page-range.js';
export * from './exec.js';
export * from './exit.js';
export * from './fallocate.js';
export * from './fork.js';
export { MAP_NONBLOCK, sysRemapFilePages } from './fremap.js';
export { FOLL_FORCE, FOLL_GET, FOLL_INTERRUPTIBLE, FOLL_TOUCH, FOLL_WRITE, followPage, getUserPages } from './gup.js';
export { getUserPagesFast, getUserPagesFastOnly } from './gup-fast.js';
export * from './invariants.js';
export { swapMapAgrees } from './invariants-swap.js';
export * from './madvise.js';
export { swapOutRange } from './madvise-pageout.js';
export { mcHandlePresentPte, memCgroupMoveTask } from './memcontrol.js';
export { handleMmFault } from './memory.js';
export { doWpPage, exclusivelyOurs, replacePage } from './memory-cow.js';
export { doCowFault } from './memory-fault.js';
export { doFoundSwapPage } from './memory-swap.js';
export { type Moved, migrateRange } from './migrate.js';
export { sysMincore } from './mincore.js';
export * from './mlock.js';
export { ERA_MM, type MmOptions, MODERN_MM, mmOption, mmOptionsInit } from './mm-options.js';
export * from './mmap.js';
export * from './mprotect.js';
export * from './mremap.js';
export * from './msync.js';
export * from './munmap.js';
export * from './namei.js';
export { PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from './page-prot.js';
export * from './read-write.js';
export { deviceMemory, mmapDevice, remapPfnRange } from './remap-pfn-range.js';
export * from './resident.js';
export { SIGXFSZ } from './rlimit.js';
export { shmemAops, shmemFileSetup, shmemInode } from './shmem.js';
export { moveToPageCache, shmemGetpage, shmemHole } from './shmem-getpage.js';
export { ShmemInodeInfo, shmemInfo, shmemPlace } from './shmem-info.js';
export { shmemFreePlaces, shmemTruncateRange } from './shmem-truncate.js';
export { type ShmemSwapped, shmemSwapped, shmemUnuse } from './shmem-unuse.js';
export { moveToSwapCache } from './shmem-writepage.js';
export {
  archSetupAdditionalPages,
  installSpecialMapping,
  type SpecialPages,
  specialPages,
  specialPagesInit,
} from './special-mapping.js';
export { expandStack } from './stack.js';
export * from './swapoff.js';
export * from './sync.js';
export * from './truncate.js';
export { TASK_PAGES } from './unmapped-area.js';
export { unuseVma } from './unuse-pte.js';
export * from './user-access.js';
export { VM_FAULT_ERROR, VM_FAULT_WRITE, withoutCountingFaults } from './vm-fault.js';
