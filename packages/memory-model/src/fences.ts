// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import type { Event } from './event.js';
import { type EventSet, inSet, Relation } from './relation.js';

/*
 * Orderings that fences and annotations give within a thread ("Basic relations" of linux-kernel.cat; in explanation.txt: "Ordering of instructions:
 * fences"). Each function adds its pairs to a relation. What goes from one thread to another with a lock is in locks.ts.
 *
 * The next fence after an event is the one that orders most: whatever a later fence orders, the next one does too.
 */

/** Adds `[from] ; po ; [to]`, where po starts at `via[i]` for event i, that one included when `inclusive`. */
function addAfter(
  into: Relation,
  { po }: Classes,
  from: EventSet,
  via: Int32Array,
  to: EventSet,
  inclusive = false,
): void {
  const { size, stride, bits } = into;
  for (let i = 0; i < size; i++) {
    const start = via[i];
    if (start === -1 || !inSet(from, i)) continue;
    for (let w = 0; w < stride; w++) bits[i * stride + w] |= po.bits[start * stride + w] & to[w];
    if (inclusive && inSet(to, start)) into.add(i, start);
  }
}

/** First `then` after the first `holds` that is at `i` itself (when `here`) or after. */
function firstAfter(
  classes: Classes,
  holds: (event: Event, number: number) => boolean,
  here: boolean,
  then: Int32Array,
): Int32Array {
  const next = classes.next(holds);
  return next.map((after, i) => {
    const at = here && holds(classes.events[i], i) ? i : after;
    return at === -1 ? -1 : then[at];
  });
}

export function addRmb(into: Relation, classes: Classes): void {
  if (!classes.hasTag('rmb')) return;
  addAfter(into, classes, classes.rmbReads, next(classes, 'rmb'), classes.rmbReads);
}

export function addWmb(into: Relation, classes: Classes): void {
  if (!classes.hasTag('wmb')) return;
  addAfter(into, classes, classes.writes, next(classes, 'wmb'), classes.writes);
}

const next = (classes: Classes, tag: Event['tag']): Int32Array => classes.next((event) => event.tag === tag);

/** smp_mb() and the fully ordered read-modify-writes, which act as though there were an smp_mb() on either side. */
export function addSmpMb(into: Relation, classes: Classes): void {
  if (!classes.hasTag('mb')) return;
  const { accesses, reads, writes, mb, po } = classes;
  const { size, stride, bits } = into;
  addAfter(
    into,
    classes,
    accesses,
    classes.next((_, i) => inSet(mb, i)),
    accesses,
  );
  for (let i = 0; i < size; i++) {
    if (!inSet(accesses, i)) continue;
    const all = inSet(mb, i) && inSet(writes, i) ? -1 : 0;
    for (let w = 0; w < stride; w++)
      bits[i * stride + w] |= po.bits[i * stride + w] & ((mb[w] & reads[w]) | (all & accesses[w]));
  }
}

/** smp_mb__before_atomic(), smp_mb__after_atomic(), smp_mb__after_spinlock(), smp_mb__after_srcu_read_unlock(), each with its operation. */
export function addSmpMbBeside(into: Relation, classes: Classes): void {
  const { accesses, rmw } = classes;
  if (classes.hasTag('before-atomic')) {
    const atomic = classes.next((_, i) => inSet(rmw, i));
    const via = next(classes, 'before-atomic').map((fence) => (fence === -1 ? -1 : atomic[fence]));
    addAfter(into, classes, accesses, via, accesses, true);
  }
  const after = (tag: Event['tag'], operation: (event: Event, number: number) => boolean): void => {
    if (!classes.hasTag(tag)) return;
    addAfter(into, classes, accesses, firstAfter(classes, operation, true, next(classes, tag)), accesses);
  };
  after('after-atomic', (_, i) => inSet(rmw, i));
  after('after-spinlock', ({ type }) => type === 'LKW');
  after('after-srcu-read-unlock', ({ tag }) => tag === 'srcu-unlock');
}

/** `gp`: synchronize_rcu() and synchronize_srcu() as fences, from every event before to itself and every event after. */
export function addGracePeriods(into: Relation, classes: Classes): void {
  if (!classes.hasTag('sync-rcu') && !classes.hasTag('sync-srcu')) return;
  const { executed } = classes;
  const sync = classes.next(({ tag }) => tag === 'sync-rcu' || tag === 'sync-srcu');
  addAfter(into, classes, executed, sync, executed, true);
}

/** `po-rel`: every access before a release. */
export function addReleases(into: Relation, { accesses, release, po }: Classes): void {
  const { size, stride, bits } = into;
  for (let i = 0; i < size; i++)
    if (inSet(accesses, i))
      for (let w = 0; w < stride; w++) bits[i * stride + w] |= po.bits[i * stride + w] & release[w];
}

/** `acq-po`: every access after an acquire. */
export function addAcquires(into: Relation, { accesses, acquire, po }: Classes): void {
  const { size, stride, bits } = into;
  for (let i = 0; i < size; i++)
    if (inSet(acquire, i))
      for (let w = 0; w < stride; w++) bits[i * stride + w] |= po.bits[i * stride + w] & accesses[w];
}

const isLkr = ({ type }: Event): boolean => type === 'LKR';
const isUl = ({ type }: Event): boolean => type === 'UL';

/** The part of `po-unlock-lock-po` within a thread: from before an unlock to after a later lock, whatever the locks. */
export function addUnlockLock(into: Relation, classes: Classes): void {
  if (!classes.hasType('UL') || !classes.hasType('LKR')) return;
  const { executed } = classes;
  addAfter(into, classes, executed, firstAfter(classes, isUl, false, classes.next(isLkr)), executed);
}

/** smp_mb__after_unlock_lock() when unlock and lock are in its own thread. */
export function addAfterUnlockLock(into: Relation, classes: Classes): void {
  if (!classes.hasTag('after-unlock-lock')) return;
  const fenced = firstAfter(classes, isLkr, false, next(classes, 'after-unlock-lock'));
  addAfter(into, classes, classes.accesses, firstAfter(classes, isUl, false, fenced), classes.accesses);
}

/** From each LKR to what an smp_mb__after_unlock_lock() after it fences, for {@link addHandedOver}. */
export function afterUnlockLockFences(classes: Classes): Relation {
  const fenced = new Relation(classes.size);
  if (!classes.hasTag('after-unlock-lock')) return fenced;
  const locks: EventSet = new Int32Array(classes.stride);
  for (let i = 0; i < classes.size; i++) if (isLkr(classes.events[i])) locks[i >>> 5] |= 1 << (i & 31);
  addAfter(fenced, classes, locks, next(classes, 'after-unlock-lock'), classes.accesses);
  return fenced;
}
