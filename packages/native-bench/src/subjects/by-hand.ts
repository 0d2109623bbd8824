// SPDX-License-Identifier: GPL-2.0-only
import { Page } from '@lockless/mm-types';
import { handWritten } from '../hand-written.js';
import { Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { enterWorld } from './in-world.js';
import type { LookupOptions } from './native.js';

const CONTENT = Page.$offset.contentIdentity;

export interface ByHandOptions extends LookupOptions {
  /** Readers say nothing. */
  readonly quiet?: boolean;
}

/** A page whose last reference is put: no lookup here does that. */
export const neverFree = (page: number): void => {
  throw new Error(`the last reference to the page at ${page} was put by a lookup`);
};

/** Lookups as somebody writes them who has no abstractions. */
export function start({ world, peek, quiet = false, ...options }: ByHandOptions): Subject {
  const { words, at, counts, close } = enterWorld(world);
  const { mapping } = world;
  const { findGetPage, putPage, peekPage } = handWritten(words, at, neverFree, { quiet });
  const schedule = new Keys(options.keys);
  const { keys, mask } = schedule;
  const expected = (first: number, n: number): number => schedule.sum(first, n);
  if (peek)
    return {
      counts,
      close,
      expected,
      run(first, n) {
        let sum = 0;
        for (let i = first; i < first + n; i++) sum = (sum + peekPage(mapping, keys[i & mask])) | 0;
        return sum;
      },
    };
  return {
    counts,
    close,
    expected,
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) {
        const page = findGetPage(mapping, keys[i & mask]);
        sum = (sum + words[page + CONTENT]) | 0;
        putPage(page);
      }
      return sum;
    },
  };
}
