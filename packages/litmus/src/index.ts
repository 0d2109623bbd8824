// SPDX-License-Identifier: MIT
export type * from './ast.js';
export type * from './outcome.js';
