// SPDX-License-Identifier: MIT
import { defineWord, readOnce, writeOnce } from '@lockless/cpu';
import { expect, test } from 'vitest';
import { check } from '../src/index.js';

const x = defineWord('nondeterminism_x');

test('a thread that is not a function of what it reads is refused', async () => {
  let calls = 0;
  const program = {
    name: 'counts its calls',
    setup: function* () {},
    threads: {
      a: function* () {
        yield* writeOnce(x, 1 + (calls++ % 7));
        return yield* readOnce(x);
      },
      b: function* () {
        yield* writeOnce(x, 9);
        return yield* readOnce(x);
      },
    },
  };
  await expect(check(program)).rejects.toMatchObject({ name: 'CheckError', code: 'nondeterministic' });
});
