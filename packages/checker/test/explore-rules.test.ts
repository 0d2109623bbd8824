// SPDX-License-Identifier: MIT
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RevisitRules, RULES } from '../src/explore/revisit.js';
import type { ModelName } from '../src/result.js';
import { graphsOf } from './explore/graphs.js';
import { marked, programOf, type RandomProgram } from './explore/random-program.js';

/** Whether the explorer without a rule finds something else, or something twice, or fails altogether. */
function differs(program: RandomProgram, rule: keyof RevisitRules, model: ModelName): boolean {
  const right = graphsOf(programOf(program), model).keys.sort();
  try {
    const wrong = graphsOf(programOf(program), model, { breakRules: { [rule]: false }, most: right.length * 2 });
    return wrong.keys.sort().join() !== right.join();
  } catch {
    return true;
  }
}

describe('each rule of the algorithm is needed, and its absence is noticed', () => {
  const programs = fc.sample(marked, { numRuns: 1500, seed: 20 });
  test.each(Object.keys(RULES) as (keyof RevisitRules)[])('%s', (rule) => {
    // Two read-modify-writes of one store are a cycle to SC, which it finds anyway.
    const model = rule === 'conflictIsDeleted' ? 'lkmm' : 'sc';
    expect(programs.some((program) => differs(program, rule, model))).toBe(true);
  });
});
