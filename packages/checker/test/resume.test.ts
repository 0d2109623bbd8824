// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { type CheckCheckpoint, type CheckOptions, type CheckResult, check, type Program } from '../src/index.js';
import { bugs, guarded, messagePassing } from './bugs.js';

/** As it would come from a file. */
const written = (checkpoint: CheckCheckpoint | undefined): CheckCheckpoint => JSON.parse(JSON.stringify(checkpoint));

/** Stops after each execution, and goes on. */
async function inPieces(program: Program, options: CheckOptions): Promise<{ result: CheckResult; pieces: number }> {
  let result = await check(program, { ...options, maxExecutions: 1 });
  let pieces = 1;
  for (; result.verdict === 'bounded'; pieces++)
    result = await check(program, { ...options, maxExecutions: pieces + 1, resume: written(result.checkpoint) });
  return { result, pieces };
}

it('goes on from where it stopped, with the same result', async () => {
  const { fixed } = bugs.find(({ kind }) => kind === 'assertion') ?? { fixed: guarded };
  const whole = await check(fixed);
  const { result, pieces } = await inPieces(fixed, {});
  expect({ ...result, seconds: 0 }).toEqual({ ...whole, seconds: 0 });
  expect(pieces).toBeGreaterThan(1);
});

it('remembers which sites were met, and what was reached', async () => {
  const { fixed } = bugs.find(({ kind }) => kind === 'unreached') ?? { fixed: guarded };
  const whole = await check(fixed, { model: 'sc' });
  expect((await inPieces(fixed, { model: 'sc' })).result).toMatchObject({ verdict: 'holds', reached: whole.reached });
  const { result } = await inPieces(guarded, { model: 'sc', without: ['consume.smp_rmb'] });
  expect(result.verdict).toBe('holds');
});

it.each<[string, Program, CheckOptions]>([
  ['another program', messagePassing(false), {}],
  ['another model', guarded, { model: 'sc' }],
  ['other sites', guarded, { without: ['publish.smp_wmb'] }],
  ['another bound', guarded, { maxEvents: 7 }],
])('a checkpoint of %s is refused', async (_, program, options) => {
  const { checkpoint } = await check(guarded, { maxExecutions: 1 });
  await expect(check(program, { ...options, resume: written(checkpoint) })).rejects.toThrow('this is a checkpoint of');
});

it('what is no checkpoint is refused', async () => {
  const resume = { version: 2 } as unknown as CheckCheckpoint;
  await expect(check(guarded, { resume })).rejects.toThrow('this is no checkpoint of a check');
});
