// SPDX-License-Identifier: GPL-2.0-only

/* What a page fault comes to, include/linux/mm.h, 2.6.27: bits. */
/** Nothing had to be waited for. */
export const VM_FAULT_MINOR = 0;
/** No memory. */
export const VM_FAULT_OOM = 0x1;
/** No such page: beyond the end of the file, or unreadable. */
export const VM_FAULT_SIGBUS = 0x2;
/** The page was not in the cache. */
export const VM_FAULT_MAJOR = 0x4;
/** The page that was returned is locked. */
export const VM_FAULT_LOCKED = 0x200;
