// SPDX-License-Identifier: MIT
export { shellWords } from './command-line.js';
export type { ExecutionGraph } from './execution-graph.js';
export { executionDot } from './execution-graph-dot.js';
export { executionSvg } from './execution-graph-svg.js';
export { renderHtml } from './html.js';
export type { TextOptions } from './layout.js';
export type * from './run-result.js';
export { renderSummary } from './text.js';
