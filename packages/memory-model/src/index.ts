// SPDX-License-Identifier: MIT
export * from './event.js';
export * from './model.js';
export * from './relation.js';
