// SPDX-License-Identifier: MIT
export * from './event.js';
export { lkmm } from './lkmm.js';
export * from './model.js';
export * from './relation.js';
export { sc } from './sc.js';
export { tso } from './tso.js';
