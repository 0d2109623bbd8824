// SPDX-License-Identifier: GPL-2.0-only
export * from './anon-vma.js';
export * from './i-mmap.js';
export * from './pgtable.js';
export * from './pte.js';
export * from './rbtree.js';
export * from './tlb.js';
export * from './vma.js';
export * from './vma-adjust.js';
export * from './vma-merge.js';
