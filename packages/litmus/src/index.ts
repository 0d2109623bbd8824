// SPDX-License-Identifier: MIT
export type * from './ast.js';
