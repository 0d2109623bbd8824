// SPDX-License-Identifier: MIT
export * from './assemble.js';
export * from './translate.js';
export * from './wasm-error.js';
