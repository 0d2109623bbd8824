// SPDX-License-Identifier: GPL-2.0-only
import type { Difference, FieldDifference } from './compare.js';
import { formatScript, formatStep } from './format-script.js';
import type { Script } from './script.js';

/** Fields that are shown; the first ones say most, the sums of areas follow from them. */
const MOST_FIELDS = 16;

/** A difference as text: the steps, both sides, and the command that shows it again. */
export function formatDifference(script: Script, { step, fields }: Difference): string {
  const arena = script.huge === true ? ['  arena huge'] : [];
  const files = script.files.map(({ kind, pages }, i) => `  file ${i} ${kind} ${pages}`);
  const steps = script.steps.slice(0, step + 1).map((done) => `  ${formatStep(done)}`);
  const last = steps.pop();
  return [
    `differs after step ${step + 1}`,
    ...arena,
    ...files,
    ...steps,
    `${last}   <- here`,
    '',
    ...table(fields),
    '',
    "repeat: lockless oracle - <<'END'",
    `${formatScript({ ...script, steps: script.steps.slice(0, step + 1) })}END`,
  ].join('\n');
}

function table(fields: readonly FieldDifference[]): string[] {
  const ordered = [...fields].sort((a, b) => rank(a) - rank(b));
  const shown = ordered
    .slice(0, MOST_FIELDS)
    .map(({ where, field, simulated, real }) => [`${where}: ${field}`, simulated, real]);
  const rows = [['', 'simulated', 'real'], ...shown];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const more = ordered.length - shown.length;
  return [
    ...rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('   ')
        .trimEnd(),
    ),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

const rank = ({ where, field }: FieldDifference): number =>
  where === 'step' ? 0 : field === 'mapped' ? 1 : field.startsWith('smaps.') ? 3 : 2;
