// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';
import type { AccessSite } from './explore/execution.js';
import { Names } from './names.js';
import { explainingOrder } from './order.js';
import { relevantEvents } from './relevance.js';
import type { Step } from './result.js';
import { stepFrames } from './sites.js';
import type { Snapshot, SnapshotBlocked, SnapshotEvent } from './snapshot.js';
import { stepsOf } from './steps.js';

/** Something wrong with an execution, before it is told. */
export interface Finding {
  readonly kind: string;
  /** Kernel function in which it shows. */
  readonly at: string;
  /** With addresses as cpu's heap describes them: {@link Counterexample.message} has names. */
  readonly message: string;
  readonly snapshot: Snapshot;
  /** Events in which it shows; all that happened when that is none. */
  readonly keys: readonly SnapshotEvent[];
  /** What a thread was about to do when it went wrong, or threw: its last step. */
  readonly last: { readonly thread: number; readonly site: AccessSite | null } | null;
}

export interface Counterexample {
  readonly finding: Finding;
  readonly message: string;
  /** The relevant events, in an order that explains the execution. */
  readonly order: readonly SnapshotEvent[];
  readonly steps: readonly Step[];
  /** The smaller the easier to follow: loads and stores out of order, switches between threads, steps. */
  readonly size: readonly number[];
}

/** Makes what a reader can follow from what was found. */
export function counterexampleOf(finding: Finding, siteName: (site: AccessSite) => string): Counterexample {
  const { snapshot, keys, last } = finding;
  const names = new Names(snapshot.describe);
  const ends = snapshot.threads.flatMap(({ events }) => events.slice(-1));
  const order = explainingOrder(snapshot, relevantEvents(snapshot, keys.length > 0 ? keys : ends));
  const steps = stepsOf(order, {
    execution: snapshot,
    names,
    siteOf: (event) => siteName(event.site),
    notes: spinNotes(snapshot),
  });
  const message = names.text(finding.message);
  for (const blocked of snapshot.blocked)
    if (blocked.reason !== 'spin') steps.push(waitingStep(blocked, steps.length + 1, snapshot, names, siteName));
  if (last !== null) steps.push(lastStep(last, message, steps.length + 1, snapshot, siteName));
  return { finding, message, order, steps, size: sizeOf(steps) };
}

function sizeOf(steps: readonly Step[]): number[] {
  const outOfOrder = steps.filter(
    ({ from, note }) => from !== null || (note?.startsWith('hits memory') ?? false),
  ).length;
  const switches = steps.filter(({ thread }, i) => i > 0 && thread !== steps[i - 1].thread).length;
  return [outOfOrder, switches, steps.length];
}

/** Whether one counterexample is easier to follow than another. */
export function smaller(a: Counterexample, b: Counterexample): boolean {
  const i = a.size.findIndex((part, at) => part !== b.size[at]);
  return i >= 0 && a.size[i] < b.size[i];
}

function spinNotes({ blocked }: Snapshot): Map<SnapshotEvent, string> {
  const notes = new Map<SnapshotEvent, string>();
  for (const { reason, loads } of blocked)
    if (reason === 'spin') for (const load of loads) notes.set(load, 'again and again, for ever');
  return notes;
}

const WAITS: Readonly<Record<SnapshotBlocked['reason'], string>> = {
  lock: 'waits for ever',
  sleep: 'sleeps for ever',
  spin: 'spins for ever',
  'grace-period': 'waits for ever for a reader',
};

function waitingStep(
  { thread, reason, site, address }: SnapshotBlocked,
  number: number,
  { threads }: Snapshot,
  names: Names,
  siteName: (site: AccessSite) => string,
): Step {
  const { name } = PRIMITIVES[site.code];
  return {
    number,
    thread: threads[thread].name,
    position: threads[thread].events.length + 1,
    site: siteName(site),
    text: `${name}(${reason === 'lock' ? names.place(address) : ''})`,
    from: null,
    note: WAITS[reason],
    frames: stepFrames(site.frames),
  };
}

/** The step that cannot be: the access that hits freed memory, the BUG(). */
function lastStep(
  { thread, site }: NonNullable<Finding['last']>,
  message: string,
  number: number,
  { threads }: Snapshot,
  siteName: (site: AccessSite) => string,
): Step {
  return {
    number,
    thread: threads[thread].name,
    position: threads[thread].events.length + 1,
    site: site === null ? '' : siteName(site),
    text: message,
    from: null,
    note: null,
    frames: site === null ? [] : stepFrames(site.frames),
  };
}
