// SPDX-License-Identifier: MIT
export { check } from './check.js';
export * from './program.js';
export * from './result.js';
