// SPDX-License-Identifier: MIT
export type * from './run-result.js';
