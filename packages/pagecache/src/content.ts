// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Ptr } from '@lockless/cpu';
import { atomicInc } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';

/**
 * Which datum page `index` of file `ino` is: what Page.contentIdentity holds when the frame has that page's bytes. Never 0. Different
 * pages of one file have different identities (the multiplier is odd); pages of different files practically always.
 */
export function contentOf(ino: number, index: number): number {
  return (Math.imul(ino + 1, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) | 0 || 1;
}

/**
 * The frame's bytes were written: one version on. Atomic: programs write through their mappings at the same time.
 * *Context*: page locked, or used through a translation of the caller's page table.
 */
export const contentWritten = (page: Ptr<Page>): Access<void> => atomicInc(Page.contentVersion(page));
