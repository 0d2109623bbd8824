// SPDX-License-Identifier: MIT
import { bugOn, defineWord, readOnce, writeOnce } from '@lockless/cpu';

const data = defineWord('broken.data');
const ready = defineWord('broken.ready');

/** Message passing without barriers. */
export const withoutBarriers = {
  name: 'without-barriers',
  *setup() {},
  threads: {
    *writer() {
      yield* writeOnce(data, 42);
      yield* writeOnce(ready, 1);
    },
    *reader() {
      if ((yield* readOnce(ready)) === 0) return;
      bugOn((yield* readOnce(data)) !== 42, 'data != 42');
    },
  },
};
