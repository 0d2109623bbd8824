// SPDX-License-Identifier: MIT
import type { OpenFlag } from '../format.js';

const O_APPEND = 0o2000;
export const O_CREAT = 0o100;
export const O_TRUNC = 0o1000;
export const O_CLOEXEC = 0o2000000;
const O_SYNC = 0o4010000;
const O_DSYNC = 0o10000;
export const O_TMPFILE = 0o20200000;
const O_DIRECT = 0o40000;
const O_EXCL = 0o200;

/** open's flags by name. O_CLOEXEC and the like, which the file does not notice, are left out. */
export function openFlags(flags: number): OpenFlag[] {
  const names: OpenFlag[] = [];
  const mode = flags & 3;
  if (mode !== 1) names.push('read');
  if (mode !== 0) names.push('write');
  if (flags & O_APPEND) names.push('append');
  if (flags & O_CREAT) names.push('create');
  if (flags & O_EXCL) names.push('exclusive');
  if (flags & O_TRUNC) names.push('truncate');
  if (flags & O_DIRECT) names.push('direct');
  if ((flags & O_SYNC) === O_SYNC) names.push('sync');
  else if (flags & O_DSYNC) names.push('dsync');
  if ((flags & O_TMPFILE) === O_TMPFILE) names.push('tmpfile');
  return names;
}

export function protection(prot: number): string {
  return `${prot & 1 ? 'r' : '-'}${prot & 2 ? 'w' : '-'}${prot & 4 ? 'x' : '-'}`;
}

function named(flags: number, table: readonly (readonly [number, string])[]): string[] {
  let rest = flags;
  const names: string[] = [];
  for (const [bit, name] of table) {
    if ((rest & bit) !== bit) continue;
    names.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names;
}

/** mmap's flags by name: MAP_FIXED is `fixed`. */
export function mmapFlags(flags: number): string[] {
  return named(flags, [
    [0x03, 'shared_validate'],
    [0x01, 'shared'],
    [0x02, 'private'],
    [0x10, 'fixed'],
    [0x20, 'anonymous'],
    [0x40, '32bit'],
    [0x100, 'growsdown'],
    [0x800, 'denywrite'],
    [0x1000, 'executable'],
    [0x2000, 'locked'],
    [0x4000, 'noreserve'],
    [0x8000, 'populate'],
    [0x10000, 'nonblock'],
    [0x20000, 'stack'],
    [0x40000, 'hugetlb'],
    [0x80000, 'sync'],
    [0x100000, 'fixed_noreplace'],
  ]);
}

export function mremapFlags(flags: number): string[] {
  return named(flags, [
    [1, 'maymove'],
    [2, 'fixed'],
    [4, 'dontunmap'],
  ]);
}

export function msyncFlags(flags: number): string[] {
  return named(flags, [
    [1, 'async'],
    [2, 'invalidate'],
    [4, 'sync'],
  ]);
}

const MADVISE: Readonly<Record<number, string>> = {
  0: 'normal',
  1: 'random',
  2: 'sequential',
  3: 'willneed',
  4: 'dontneed',
  8: 'free',
  9: 'remove',
  10: 'dontfork',
  11: 'dofork',
  12: 'mergeable',
  13: 'unmergeable',
  14: 'hugepage',
  15: 'nohugepage',
  16: 'dontdump',
  17: 'dodump',
  18: 'wipeonfork',
  19: 'keeponfork',
  20: 'cold',
  21: 'pageout',
  22: 'populate_read',
  23: 'populate_write',
  24: 'dontneed_locked',
  25: 'collapse',
  102: 'guard_install',
  103: 'guard_remove',
};
export function madviseAdvice(advice: number): string {
  return MADVISE[advice] ?? String(advice);
}

const FADVISE = ['normal', 'random', 'sequential', 'willneed', 'dontneed', 'noreuse'];
export function fadviseAdvice(advice: number): string {
  return FADVISE[advice] ?? String(advice);
}

const SIGNALS =
  '- HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );
/** The number of a signal by the name that strace prints; 9 for one without a name here. */
export function signalNumber(name: string): number {
  const index = SIGNALS.indexOf(name.replace(/^SIG/, ''));
  return index > 0 ? index : 9;
}
