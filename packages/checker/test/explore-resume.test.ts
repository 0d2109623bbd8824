// SPDX-License-Identifier: MIT
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fibonacci, increments, lastZero, ticketLock } from '../src/bench-programs.js';
import type { Checkpoint } from '../src/explore/checkpoint.js';
import { type Explorer, explore } from '../src/explore/explorer.js';
import type { Program } from '../src/program.js';
import type { ModelName } from '../src/result.js';
import { graphsOf, keyOf } from './explore/graphs.js';
import { large, programOf } from './explore/random-program.js';

/** As it would come from a file. */
const written = (checkpoint: Checkpoint): Checkpoint => JSON.parse(JSON.stringify(checkpoint));

function explorerOf(program: Program, model: ModelName, keys: string[], resume?: Checkpoint): Explorer {
  const onExecution = (execution: Parameters<typeof keyOf>[0]): void => void keys.push(keyOf(execution));
  return explore({ program, model, shareAll: true, onExecution, ...(resume === undefined ? {} : { resume }) });
}

/** Explores a few steps at a time, each time by a new explorer that goes on where the one before stood. */
function inPieces(program: Program, model: ModelName): { keys: string[]; pieces: number; explorer: Explorer } {
  const keys: string[] = [];
  let explorer = explorerOf(program, model, keys);
  let pieces = 1;
  for (; !explorer.run(0); pieces++) explorer = explorerOf(program, model, keys, written(explorer.checkpoint()));
  return { keys, pieces, explorer };
}

/** Shares the work out as soon as there is some. */
function shared(program: Program, model: ModelName): { keys: string[]; workers: number } {
  const keys: string[] = [];
  const todo: (Checkpoint | undefined)[] = [undefined];
  let workers = 0;
  for (; todo.length > 0; workers++) {
    const explorer = explorerOf(program, model, keys, todo.pop());
    while (!explorer.run(0)) {
      const given = workers < 30 ? explorer.split() : null;
      if (given !== null) todo.push(written(given));
    }
    expect(explorer.voided).toBe(false);
  }
  return { keys, workers };
}

const programs: readonly Program[] = [increments(5), lastZero(6), fibonacci(3), ticketLock(4)];
const cases = programs.flatMap((program) =>
  (['sc', 'lkmm'] as const).map((model) => [program.name, model, program] as const),
);

describe.each(cases)('%s under %s', (_, model, program) => {
  const all = graphsOf(program, model);
  test('goes on from a checkpoint', () => {
    const { keys, pieces, explorer } = inPieces(program, model);
    expect(keys).toEqual(all.keys);
    expect(pieces).toBeGreaterThan(2);
    expect(explorer.counts).toMatchObject({ executions: all.counts.executions, blocked: all.counts.blocked });
  });
  test('gives work away', () => {
    const { keys, workers } = shared(program, model);
    expect(keys.sort()).toEqual([...all.keys].sort());
    expect(workers).toBeGreaterThan(1);
  });
});

test('random programs, in pieces', () => {
  fc.assert(
    fc.property(large, (random) => {
      const all = graphsOf(programOf(random), 'lkmm', { most: 200 });
      if (all.keys.length > 200) return;
      expect(inPieces(programOf(random), 'lkmm').keys).toEqual(all.keys);
      expect(shared(programOf(random), 'lkmm').keys.sort()).toEqual([...all.keys].sort());
    }),
    { numRuns: 30 },
  );
});

test('a checkpoint of another program is refused', () => {
  const checkpoint = explore({ program: increments(2), model: 'sc' }).checkpoint();
  expect(() => explore({ program: increments(3), model: 'sc', resume: checkpoint })).toThrow('checkpoint of ninc(2)');
});
