// SPDX-License-Identifier: GPL-2.0-only
export * from './config.js';
export * from './gp-cookie.js';
export * from './split-refcount.js';
export * from './tail-counts-stable.js';
