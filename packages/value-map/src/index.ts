// SPDX-License-Identifier: GPL-2.0-only
export * from './repair.js';
export * from './value.js';
export * from './value-map.js';
