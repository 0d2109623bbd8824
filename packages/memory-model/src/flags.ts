// SPDX-License-Identifier: MIT
import { type Classes, isAccess, isPlain } from './classes.js';
import type { Communication } from './communication.js';
import { type Event, INITIAL } from './event.js';
import type { Locks } from './locks.js';
import type { Skeleton } from './model.js';
import { rcuSections, srcuSections } from './rcu-sections.js';

/** What linux-kernel.bell flags: RCU and SRCU locks that do not match, and sleeping where one must not. */
export function bellFlags(classes: Classes, skeleton: Skeleton, { rf }: Communication): string[] {
  const { events } = classes;
  const flags: string[] = [];
  const of = (tag: Event['tag']): number => events.filter((event) => event.tag === tag).length;
  const { sections } = rcuSections(classes);
  if (of('rcu-lock') > sections.length) flags.push('unmatched-rcu-lock');
  if (of('rcu-unlock') > sections.length) flags.push('unmatched-rcu-unlock');
  const srcu = classes.hasTag('srcu-lock') ? srcuSections(classes, skeleton, rf) : [];
  if (of('srcu-lock') > new Set(srcu.map(({ lock }) => lock)).size) flags.push('unmatched-srcu-lock');
  const unlocks = new Set(srcu.map(({ unlock }) => unlock));
  if (of('srcu-unlock') > unlocks.size) flags.push('unmatched-srcu-unlock');
  if (new Set(srcu.map(({ lock }) => lock)).size < srcu.length) flags.push('multiple-srcu-matches');
  const sleeps = (i: number): boolean => events[i].tag === 'sync-srcu';
  if (
    sections.some(({ lock, unlock }) =>
      events.some((_, i) => sleeps(i) && classes.po.has(lock, i) && classes.po.has(i, unlock)),
    )
  )
    flags.push('invalid-sleep');
  if (srcu.some(({ lock, unlock }) => events[lock].value !== events[unlock].value)) flags.push('srcu-bad-value-match');
  return flags;
}

/** What lock.cat flags. (`lock-final`, a condition that asks for the final value of a lock, is for who knows the condition.) */
export function lockFlags({ events }: Classes, locks: Locks): string[] {
  const flags: string[] = [];
  const guarded = new Set(events.filter(isLockOrSrcu).map(({ location }) => location));
  if (
    events.some(
      (event) =>
        event.thread !== INITIAL &&
        isAccess(event) &&
        !isLockOrSrcu(event) &&
        event.location !== -1 &&
        guarded.has(event.location),
    )
  )
    flags.push('mixed-lock-accesses');
  if (events.some(({ type, partner }) => type === 'LKW' && partner === -1)) flags.push('unpaired-LKW');
  if (events.some(({ type, partner }) => type === 'LKR' && partner === -1)) flags.push('unpaired-LKR');
  if (locks.unmatchedUnlocks.length > 0) flags.push('unmatched-unlock');
  return flags;
}

function isLockOrSrcu({ type, tag }: Event): boolean {
  return (
    (type !== 'R' && type !== 'W' && type !== 'F') ||
    tag === 'srcu-lock' ||
    tag === 'srcu-unlock' ||
    tag === 'sync-srcu'
  );
}

const COMPILER_BARRIERS: ReadonlySet<string> = new Set([
  'barrier',
  'rmb',
  'wmb',
  'mb',
  'sync-rcu',
  'sync-srcu',
  'before-atomic',
  'after-atomic',
  'rcu-lock',
  'rcu-unlock',
  'srcu-lock',
  'srcu-unlock',
]);

/** Whether the event keeps the compiler from moving accesses across it. */
function isCompilerBarrier({ type, tag, failed }: Event): boolean {
  if (type === 'LKR' || type === 'UL') return true;
  if (tag === 'acquire') return type === 'R' && failed !== true;
  if (tag === 'release') return type === 'W';
  return COMPILER_BARRIERS.has(tag) && !(tag === 'mb' && failed === true);
}

/** mixed-accesses: a plain store and a marked access of the same thread to the same location that no barrier keeps apart. */
export function mixesAccesses({ events, po, poLoc, size }: Classes): boolean {
  const acquires = ({ type, tag, failed }: Event): boolean =>
    type === 'LKR' || (type === 'R' && tag === 'acquire' && failed !== true);
  const releases = ({ type, tag }: Event): boolean => type === 'UL' || (type === 'W' && tag === 'release');
  const separated = (i: number, j: number): boolean =>
    releases(events[j]) ||
    acquires(events[i]) ||
    events.some((event, k) => isCompilerBarrier(event) && po.has(i, k) && po.has(k, j));
  const plainStore = (event: Event): boolean => isPlain(event) && event.type === 'W';
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      if (!poLoc.has(i, j)) continue;
      const mixed = plainStore(events[i]) ? !isPlain(events[j]) : plainStore(events[j]) && !isPlain(events[i]);
      if (mixed && !separated(i, j)) return true;
    }
  return false;
}
