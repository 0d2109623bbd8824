// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { countTests, summaryLine } from '../scripts/check.mjs';

const report = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, testResults: [] };

test('the last line counts skipped tests only when there are some', () => {
  expect(summaryLine({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
  expect(summaryLine({ passed: 12, failed: 3, skipped: 2 })).toBe('12 passed, 3 failed, 2 skipped');
});

test('tests are counted', () => {
  expect(countTests(report, true)).toEqual({ passed: 5, failed: 0, skipped: 2 });
});

test('a file that cannot be loaded counts as a failure', () => {
  const broken = { ...report, testResults: [{ status: 'failed', assertionResults: [] }] };
  expect(countTests(broken, false)).toEqual({ passed: 5, failed: 1, skipped: 2 });
});

test('a failed test is counted once', () => {
  const testResults = [{ status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] }];
  expect(countTests({ ...report, numFailedTests: 1, testResults }, false).failed).toBe(1);
});

test('a run that fails without a failed test, or writes no report, is not taken for a success', () => {
  expect(countTests(report, false).failed).toBe(1);
  expect(countTests(undefined, false)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
