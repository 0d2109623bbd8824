// SPDX-License-Identifier: MIT
import { bugOn } from '@lockless/cpu';

export const program = {
  name: 'setup-throws',
  *setup() {
    bugOn(true, 'no memory');
  },
  threads: { *idle() {} },
};
