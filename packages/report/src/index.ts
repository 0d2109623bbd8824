// SPDX-License-Identifier: MIT

export { type Bar, type BarChart, barChartSvg } from './bar-chart-svg.js';
export { shellWords } from './command-line.js';
export type { ExecutionGraph } from './execution-graph.js';
export { executionDot } from './execution-graph-dot.js';
export { executionSvg } from './execution-graph-svg.js';
export { renderHtml } from './html.js';
export type { TextOptions } from './layout.js';
export type { ChartAxis, ChartPoint, ChartSeries, LineChart } from './line-chart.js';
export { lineChartSvg } from './line-chart-svg.js';
export type * from './run-result.js';
export { renderSummary } from './text.js';
