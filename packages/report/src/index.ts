// SPDX-License-Identifier: MIT
export { shellWords } from './command-line.js';
export { renderHtml } from './html.js';
export type { TextOptions } from './layout.js';
export type * from './run-result.js';
export { renderSummary } from './text.js';
