// SPDX-License-Identifier: GPL-2.0-only
import type { Subject } from '../harness/subject.js';

/** Computes, in registers: how far the machine itself is able to do two things at once. */
export function start(): Subject {
  let sink = 0;
  return {
    run(first, n) {
      let x = first | 1;
      for (let i = 0; i < n * 16; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0;
      sink ^= x;
      return x;
    },
    counts: () => ({ sink }),
  };
}
