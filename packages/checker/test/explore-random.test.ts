// SPDX-License-Identifier: MIT
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ModelName } from '../src/result.js';
import { enumerate } from './explore/brute-force.js';
import { graphsOf } from './explore/graphs.js';
import { marked, programOf, type RandomProgram, withLocks, withPlain } from './explore/random-program.js';

const MODELS: readonly ModelName[] = ['sc', 'tso', 'lkmm'];
const runs = 25 * Number(process.env.LOCKLESS_RUNS ?? 1);

/** What the explorer finds is what enumeration finds, each execution once. */
function agree(program: RandomProgram, model: ModelName): void {
  const { keys } = graphsOf(programOf(program), model);
  const expected = enumerate(program, model);
  expect(new Set(expected).size).toBe(expected.length);
  expect([...keys].sort()).toEqual([...expected].sort());
}

describe.each(MODELS)('%s: the executions of random programs are those of enumeration, each once', (model) => {
  test('marked accesses, read-modify-writes, fences', () => {
    fc.assert(
      fc.property(marked, (program) => agree(program, model)),
      { numRuns: runs },
    );
  });
  test('plain accesses', () => {
    fc.assert(
      fc.property(withPlain, (program) => agree(program, model)),
      { numRuns: runs },
    );
  });
  test('critical sections and trylocks', () => {
    fc.assert(
      fc.property(withLocks, (program) => agree(program, model)),
      { numRuns: runs },
    );
  });
});
