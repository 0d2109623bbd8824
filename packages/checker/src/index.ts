// SPDX-License-Identifier: MIT
export { check } from './check.js';
export type { CheckCheckpoint } from './checkpoint.js';
export * from './errors.js';
export { extentOf, type FormatOptions, formatResult } from './format.js';
export { type Paint, type TextRole, wrap } from './format-columns.js';
export * from './necessity.js';
export * from './picture.js';
export * from './program.js';
export * from './result.js';
export { nearest } from './sites.js';
