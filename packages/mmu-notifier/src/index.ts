// SPDX-License-Identifier: GPL-2.0-only
export * from './mm-take-all-locks.js';
export * from './mmu-notifier.js';
export * from './mmu-notifier-hooks.js';
