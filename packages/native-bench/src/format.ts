// SPDX-License-Identifier: GPL-2.0-only
import type { NativeFigure, NativeResults } from './results.js';

const three = (value: number): string =>
  Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en-US')
    : value.toLocaleString('en-US', { maximumSignificantDigits: 3 });

const figureText = ({ median, low, high }: NativeFigure): string =>
  `${three(median)} (${three(low)} to ${three(high)})`;

/** Tables for a terminal, one for each experiment: medians, and in brackets the 10th and the 90th percentile. */
export function formatNativeResults({ machine, figures, skipped, complete }: NativeResults): string {
  const { processor, processors, system, node, v8, load } = machine;
  const lines = [
    `${processors} × ${processor}, ${system}, Node.js ${node}, V8 ${v8}, load average ${three(load)} before`,
  ];
  lines.push('medians of all rounds, in brackets the 10th and 90th percentile');
  for (const experiment of new Set(figures.map((figure) => figure.experiment))) {
    const own = figures.filter((figure) => figure.experiment === experiment);
    lines.push('', ...table(experiment, own));
    for (const { subject, reason } of skipped.filter((each) => each.experiment === experiment))
      lines.push(`${subject}: not measured, ${reason}`);
  }
  if (!complete) lines.push('', 'interrupted: not everything was measured');
  return lines.join('\n');
}

function table(experiment: string, figures: readonly NativeFigure[]): string[] {
  const measures = [...new Set(figures.map(({ measure }) => measure))];
  const rowOf = ({ subject, at }: NativeFigure): string => (at === undefined ? subject : `${subject}, ${three(at)}`);
  const rows = [...new Set(figures.map(rowOf))].map((row) => [
    row,
    ...measures.map((measure) => {
      const found = figures.find((figure) => rowOf(figure) === row && figure.measure === measure);
      return found === undefined ? '' : figureText(found);
    }),
  ]);
  const all = [[experiment, ...measures], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}
