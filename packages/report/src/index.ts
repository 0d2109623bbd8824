// SPDX-License-Identifier: MIT
export { renderHtml } from './html.js';
export type * from './run-result.js';
export { renderSummary, type TextOptions } from './text.js';
