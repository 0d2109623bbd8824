// SPDX-License-Identifier: GPL-2.0-only
import {
  MADV_COLLAPSE,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_SYNC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '@lockless/mm';
import type { Advice, Mmap, Mremap, MsyncMode, Prot } from './script.js';

/* The numbers that system calls take. Those of `@lockless/mm` are Linux's, so both sides take the same. */

const PROT: Readonly<Record<Prot, number>> = {
  none: PROT_NONE,
  r: PROT_READ,
  w: PROT_WRITE,
  rw: PROT_READ | PROT_WRITE,
};
export const protBits = (prot: Prot): number => PROT[prot];

const ADVICE: Readonly<Record<Advice, number>> = {
  dontneed: MADV_DONTNEED,
  dontfork: MADV_DONTFORK,
  dofork: MADV_DOFORK,
  remove: MADV_REMOVE,
  normal: MADV_NORMAL,
  random: MADV_RANDOM,
  sequential: MADV_SEQUENTIAL,
  free: MADV_FREE,
  collapse: MADV_COLLAPSE,
  huge: MADV_HUGEPAGE,
  nohuge: MADV_NOHUGEPAGE,
};
export const adviceBits = (advice: Advice): number => ADVICE[advice];

export const msyncBits = (mode: MsyncMode): number => (mode === 'sync' ? MS_SYNC : MS_ASYNC);

export function mremapBits({ at, to, stays }: Mremap): number {
  const flags = to === null ? MREMAP_MAYMOVE : at === to ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
  return stays ? flags | MREMAP_DONTUNMAP : flags;
}

/** Without MAP_FIXED and MAP_ANONYMOUS. */
export const mmapBits = ({ shared }: Mmap): number => (shared ? MAP_SHARED : MAP_PRIVATE);
