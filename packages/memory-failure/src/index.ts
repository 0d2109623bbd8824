// SPDX-License-Identifier: GPL-2.0-only
export * from './hwpoison-inject.js';
export * from './memory-failure.js';
export * from './soft-offline.js';
