// SPDX-License-Identifier: MIT
import type { Op } from '@lockless/cpu';
import { defineWord, readOnce, store, writeOnce } from '@lockless/cpu';
import { expect, test } from 'vitest';
import { Machine } from '../src/index.js';

const over = defineWord('pct_over');
/** More of them than priorities change: two. */
const mine = [defineWord('pct_mine_0'), defineWord('pct_mine_1'), defineWord('pct_mine_2')];

/** Has work, which is seen to go on, until somebody else is done. */
function* neighbour(word: (typeof mine)[number]): Op<void> {
  for (let i = 0; (yield* readOnce(over)) === 0; i++) yield* store(word, i);
}

function* program(): Op<void> {
  yield* writeOnce(over, 1);
}

test('PCT: a CPU that others have no end of work beside has its turn', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const machine = new Machine({ cpus: 4, scheduler: 'pct', seed });
    for (const [i, word] of mine.entries()) machine.spawn(`neighbour${i}`, () => neighbour(word), { cpu: i });
    machine.spawn('program', program, { cpu: 3 });
    expect(machine.run({ maxSteps: 200_000 }).status).toBe('finished');
  }
});
