// SPDX-License-Identifier: MIT
import { defineWord, readOnce, writeOnce } from '@lockless/cpu';

const turns = defineWord('endless.turns');

/** Never ends, and changes something each time: no execution of it is complete. */
export const endless = {
  name: 'endless',
  *setup() {},
  threads: {
    *counter() {
      for (;;) yield* writeOnce(turns, (yield* readOnce(turns)) + 1);
    },
    *reader() {
      yield* readOnce(turns);
    },
  },
};
