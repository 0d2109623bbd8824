// SPDX-License-Identifier: GPL-2.0-only

/** Told of every change of the page cache as it happens, at the point where lookups begin to see it. */
export interface PageCacheObserver {
  readonly added?: (ino: number, index: number) => void;
  readonly removed?: (ino: number, index: number) => void;
}

const NOBODY: PageCacheObserver = {};

/** Tools only; kernel-side code calls it and never depends on it. One machine runs at a time, so one observer is enough. */
let observer: PageCacheObserver = NOBODY;

/** Sets who is told; null: nobody. Boot code calls it for each machine. Returns the one before. */
export function setPageCacheObserver(next: PageCacheObserver | null): PageCacheObserver | null {
  const before = observer;
  observer = next ?? NOBODY;
  return before === NOBODY ? null : before;
}

export const observeAdded = (ino: number, index: number): void => observer.added?.(ino, index);
export const observeRemoved = (ino: number, index: number): void => observer.removed?.(ino, index);
