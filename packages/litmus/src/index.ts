// SPDX-License-Identifier: MIT
export type * from './ast.js';
export { LitmusError, type Source } from './error.js';
export type * from './outcome.js';
export { parseLitmus } from './parse.js';
export { solve } from './solve.js';
export { observedPlaces } from './state.js';
