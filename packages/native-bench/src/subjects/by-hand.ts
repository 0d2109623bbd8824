// SPDX-License-Identifier: GPL-2.0-only
import { Page } from '@lockless/mm-types';
import { handWritten } from '../hand-written.js';
import { type KeyOptions, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import type { LookupAddresses } from '../lookup-addresses.js';

const CONTENT = Page.$offset.contentIdentity;

/** A file in word memory, and who looks up its pages. */
export interface FileInWords {
  readonly buffer: SharedArrayBuffer;
  readonly mapping: number;
  readonly at: LookupAddresses;
  readonly keys: KeyOptions;
}

export interface ByHandOptions extends FileInWords {
  /** Without a reference. */
  readonly peek: boolean;
  /** Readers say nothing. */
  readonly quiet?: boolean;
}

/** A page whose last reference is put: no lookup here does that. */
export const neverFree = (page: number): void => {
  throw new Error(`the last reference to the page at ${page} was put by a lookup`);
};

/** Lookups as somebody writes them who has no abstractions. */
export function start({ buffer, mapping, at, peek, quiet = false, ...options }: ByHandOptions): Subject {
  const words = new Int32Array(buffer);
  const { findGetPage, putPage, peekPage } = handWritten(words, at, neverFree, { quiet });
  const schedule = new Keys(options.keys);
  const { keys, mask } = schedule;
  const expected = (first: number, n: number): number => schedule.sum(first, n);
  if (peek)
    return {
      expected,
      run(first, n) {
        let sum = 0;
        for (let i = first; i < first + n; i++) sum = (sum + peekPage(mapping, keys[i & mask])) | 0;
        return sum;
      },
    };
  return {
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
