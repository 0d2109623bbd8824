// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import '../src/vitest.js';
import { guarded, messagePassing } from './bugs.js';

const broken = messagePassing(false);

/** The message of the assertion that fails. */
async function failure(assertion: Promise<void>): Promise<string> {
  const outcome = await assertion.then(
    () => null,
    (error: Error) => error,
  );
  if (outcome === null) throw new Error('the assertion passed');
  return outcome.message;
}

describe('toHold', () => {
  it('passes when every execution is right', async () => {
    await expect(guarded).toHold();
    await expect(guarded).toHold({ model: 'tso' });
    await expect(broken).toHold({ model: 'sc' });
    await expect(broken).not.toHold({ model: 'lkmm' });
  });

  it('fails with the counterexample', async () => {
    const message = await failure(expect(broken).toHold({ model: 'lkmm' }));
    expect(message).toContain('expected the program to hold');
    expect(message).toContain('violated: BUG_ON(data != 42)');
    expect(message).toMatch(/READ_ONCE\(data\) = 0 \(initial\)/);
    expect(message).toContain('replay: 1/');
  });

  it('takes a bound for no verdict, either way', async () => {
    const few = { maxExecutions: 1 };
    expect(await failure(expect(guarded).toHold(few))).toContain('expected a verdict, but a bound was reached');
    expect(await failure(expect(guarded).not.toHold(few))).toContain('expected a verdict, but a bound was reached');
  });
});

describe('toBeViolated', () => {
  it('wants just this violation', async () => {
    await expect(broken).toBeViolated({ kind: 'BUG', at: 'consume' });
    await expect(broken).toBeViolated({ kind: 'BUG', message: /data/ });
    await expect(guarded).toBeViolated({ kind: 'BUG', without: ['publish.smp_wmb'] });
    await expect(broken).not.toBeViolated({ kind: 'deadlock' });
  });

  it.each([
    [{ kind: 'deadlock' }, 'expected deadlock\n'],
    [{ kind: 'BUG', at: 'publish' }, 'expected BUG in publish\n'],
    [{ kind: 'BUG', message: 'nothing' }, 'expected BUG (nothing)\n'],
    [{ kind: 'BUG', model: 'sc' as const }, 'expected BUG\n\nholds: message-passing-broken, model sc'],
  ])('%j is not found', async (expected, message) => {
    expect(await failure(expect(broken).toBeViolated(expected))).toContain(message);
  });
});

it('is for programs only', async () => {
  expect(await failure(expect(42).toHold())).toContain('expected a Program, with setup and threads; got number');
  expect(await failure(expect(guarded).toHold({ without: ['publish.smp_wm'] }))).toContain("'publish.smp_wm' is");
});
