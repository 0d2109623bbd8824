// SPDX-License-Identifier: MIT

const LIGHT = ['#1f6fd6', '#c2570c', '#15803d', '#9333a8', '#0e7c86', '#b4315b', '#6b7f10', '#6552c9'];
const DARK = ['#6aa9ff', '#ffa15c', '#5fd08c', '#d58be6', '#4cc5d0', '#ff85a8', '#b9cc52', '#a99bff'];
const variables = (colors: readonly string[]): string =>
  colors.map((color, i) => `--series-${i + 1}:${color}`).join(';');

/** The colours of the page of a run, on light and on dark ground. */
export const CHART_STYLE: string = `
.chart{--paper:#fff;--ink:#1c2430;--soft:#566273;--line:#dce1e8;${variables(LIGHT)};background:var(--paper)}
@media (prefers-color-scheme:dark){.chart{--paper:#13171d;--ink:#e6eaf0;--soft:#9da9b8;--line:#323b47;${variables(DARK)}}}
.chart text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
.chart .ground{fill:var(--paper)}
.chart .title{font-size:16px;font-weight:600;fill:var(--ink)}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .axis{stroke:var(--soft);stroke-width:1}
.chart .tick{text-anchor:middle}
.chart .value{text-anchor:end;dominant-baseline:central}
.chart .x-title{text-anchor:end}
.chart .series{color:var(--soft)}
.chart .series text{fill:currentColor;font-weight:600;dominant-baseline:central}
.chart .band{fill:currentColor;opacity:.16}
.chart .curve{fill:none;stroke:currentColor;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.chart .dot{fill:currentColor;stroke:var(--paper);stroke-width:1.5}
.chart .published .curve{stroke-width:1.5;stroke-dasharray:2 5}
.chart .published .dot{fill:var(--paper);stroke:currentColor;stroke-width:2}
.chart .published text{font-weight:400}
.chart .reference .curve{stroke-width:1;stroke-dasharray:6 4}
.chart .reference text{font-weight:400}
.chart .leader{stroke:currentColor;stroke-width:1;opacity:.5}
${LIGHT.map((_, i) => `.chart .series-${i + 1}{color:var(--series-${i + 1})}`).join('\n')}
`;
