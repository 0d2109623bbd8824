// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import type { ProcessResult } from '@lockless/report';
import { describe, expect, it } from 'vitest';
import { addedCause, anonymousCause, type Circumstances, fileCause } from '../src/cause.js';

const SAME: Circumstances = { incomplete: false, errors: false, reclaimed: false, neighbours: false };
const process = (majorFaults: number): ProcessResult => ({ majorFaults }) as ProcessResult;
const NONE = new Set<number>();

describe('the cause of a difference', () => {
  it('is nowhere to be found in a run like the real one: then it is a bug', () => {
    expect(anonymousCause(SAME)).toBe('unexplained');
    expect(fileCause(SAME, process(0))).toBe('unexplained');
    expect(addedCause(SAME, new Set([3]), new Set([3]), NONE)).toBe('unexplained');
    expect(addedCause(SAME, new Set([3]), NONE, new Set([3, 4]))).toBe('unexplained');
  });

  it('can be what the disk had read by then, in a process that waited for it', () => {
    expect(fileCause(SAME, process(2))).toBe('fault-around');
  });

  it('can be the read-ahead window, for pages that nobody asked for', () => {
    expect(addedCause(SAME, new Set([3]), new Set([3, 4, 5]), new Set([3]))).toBe('read-ahead-window');
  });

  it.each([
    ['incomplete', 'incomplete-run'],
    ['errors', 'new-errors'],
    ['reclaimed', 'reclaim'],
    ['neighbours', 'neighbours'],
  ] as const)('%s: %s', (circumstance, cause) => {
    const circumstances = { ...SAME, [circumstance]: true };
    expect(anonymousCause(circumstances)).toBe(cause);
    expect(fileCause(circumstances, process(0))).toBe(cause);
    expect(addedCause(circumstances, new Set([3]), new Set([3]), NONE)).toBe(cause);
  });

  it('is documented under its name', () => {
    const document = readFileSync(new URL('../../../docs/differences.md', import.meta.url), 'utf8');
    for (const cause of [
      'fault-around',
      'read-ahead-window',
      'reclaim',
      'new-errors',
      'neighbours',
      'incomplete-run',
    ]) {
      expect(document).toContain(`\n## ${cause}\n`);
    }
  });
});
