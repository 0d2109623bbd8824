// SPDX-License-Identifier: MIT
import { bugOn, defineWord, readOnce, smpRmb, smpWmb, writeOnce } from '@lockless/cpu';

const data = defineWord('races.data');
const ready = defineWord('races.ready');

/** Message passing with its barriers. */
export const messagePassing = {
  name: 'message-passing',
  *setup() {},
  threads: {
    *writer() {
      yield* writeOnce(data, 42);
      yield* smpWmb();
      yield* writeOnce(ready, 1);
    },
    *reader() {
      if ((yield* readOnce(ready)) === 0) return;
      yield* smpRmb();
      bugOn((yield* readOnce(data)) !== 42, 'data != 42');
    },
  },
};

function* store(mine, other) {
  yield* writeOnce(mine, 1);
  return yield* readOnce(other);
}

/** Store buffering without a barrier, and nothing that could go wrong. */
export const storeBuffering = {
  name: 'store-buffering',
  *setup() {},
  threads: { left: () => store(data, ready), right: () => store(ready, data) },
};

export const notAProgram = 42;
