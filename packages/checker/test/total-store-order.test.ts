// SPDX-License-Identifier: MIT
import { defineWord, type Op, type Ref, readOnce, smpMb, writeOnce } from '@lockless/cpu';
import { expect, it } from 'vitest';
import { check, type ModelName } from '../src/index.js';

const x: Ref<number> = defineWord('tso_x');
const y: Ref<number> = defineWord('tso_y');
const z: Ref<number> = defineWord('tso_z');

/** How often y's reader sees the second store, and the two others miss each other. */
async function missed(model: ModelName): Promise<number> {
  const result = await check(
    {
      name: 'stores-around-a-load',
      setup: function* () {},
      threads: {
        *writer(): Op<void> {
          yield* writeOnce(x, 1);
          yield* readOnce(y);
          yield* writeOnce(y, 1);
        },
        *between(): Op<number> {
          return (yield* readOnce(y)) * 10 + (yield* readOnce(z));
        },
        *reader(): Op<number> {
          yield* writeOnce(z, 1);
          yield* smpMb();
          return yield* readOnce(x);
        },
      },
      *finally(_shared, { results, reach }) {
        if (results.between === 10 && results.reader === 0) reach('missed');
      },
    },
    { model },
  );
  return result.reached.missed ?? 0;
}

it('keeps two stores in order although a load between them is not ordered after the first', async () => {
  expect(await missed('tso')).toBe(0);
  expect(await missed('lkmm')).toBe(1);
});
