// SPDX-License-Identifier: GPL-2.0-only
export * from './errno.js';
export * from './fs-struct.js';
export * from './mm-struct.js';
export * from './mmu-notifier-struct.js';
export * from './page-struct.js';
export * from './radix-tree-struct.js';
export * from './rmap-struct.js';
