// SPDX-License-Identifier: MIT
import { atomicFetchAdd, bugOn, defineWord } from '@lockless/cpu';

const count = defineWord('increments.count');

function* increment() {
  return yield* atomicFetchAdd(1, count);
}

/** n increments: n! executions. */
const increments = (n) => ({
  name: `increments-${n}`,
  *setup() {},
  threads: Object.fromEntries(Array.from({ length: n }, (_, i) => [`t${i}`, increment])),
});

export const all = [increments(3), increments(7), increments(8)];

/** Goes wrong in one execution, late in the exploration. */
export const late = {
  ...increments(7),
  name: 'late',
  *finally(_, { results }) {
    bugOn(
      Object.values(results).every((old, i) => old === [1, 0, 2, 3, 4, 5, 6][i]),
      'the second comes first',
    );
  },
};
