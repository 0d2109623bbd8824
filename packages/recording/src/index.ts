// SPDX-License-Identifier: MIT
export * from './format.js';
