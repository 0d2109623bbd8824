// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { benchChecker, renderCheckerBench } from '../src/bench.js';

test('measures, and holds the numbers to what is known', () => {
  const lines: string[] = [];
  const rows = benchChecker((line) => lines.push(line), { models: ['sc', 'lkmm'], programs: ['ticket(7)'] });
  expect(rows.map(({ model, executions, expected, blocked }) => ({ model, executions, expected, blocked }))).toEqual([
    { model: 'sc', executions: 5040, expected: 5040, blocked: 0 },
    { model: 'lkmm', executions: 5040, expected: 5040, blocked: 0 },
  ]);
  expect(lines.length).toBe(2);
  const table = renderCheckerBench(rows);
  expect(table.split('\n').length).toBe(3);
  expect(table).toMatch(/ticket\(7\) +lkmm +5040 +as known +0/);
});
