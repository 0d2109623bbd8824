// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { load, store } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';

/**
 * Which datum page `index` of file `ino` is: what Page.contentIdentity holds when the frame has that page's bytes. Never 0. Different
 * pages of one file have different identities (the multiplier is odd); pages of different files practically always.
 */
export function contentOf(ino: number, index: number): number {
  return (Math.imul(ino + 1, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) | 0 || 1;
}

/** The frame's bytes were written: one version on. *Context*: page locked, or mapped writable under the caller's page-table lock. */
export function* contentWritten(page: Ptr<Page>): Op<void> {
  const version = Page.contentVersion(page);
  yield* store(version, (yield* load(version)) + 1);
}
