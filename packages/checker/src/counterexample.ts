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
  /** What a thread did that it must not do, or was about to do when it threw: the last step of all. */
  readonly last: {
    readonly thread: number;
    readonly site: AccessSite | null;
    readonly event: SnapshotEvent | null;
  } | null;
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
  const clash = last?.event ?? null;
  // It reads what was there before it was freed, but nothing makes it come first.
  if (clash !== null && finding.kind !== 'data-race') order.push(...order.splice(order.indexOf(clash), 1));
  const message = names.text(finding.message);
  const notes = new Map([...waitNotes(snapshot), ...clashNotes(finding, order)]);
  const steps = stepsOf(order, { execution: snapshot, names, siteOf: (event) => siteName(event.site), notes });
  const told = { snapshot, names, siteName };
  for (const blocked of snapshot.blocked)
    if (blocked.reason === 'lock' || blocked.reason === 'grace-period')
      steps.push(waitingStep(blocked, steps.length + 1, told));
  if (last !== null && clash === null) steps.push(thrownStep(last, message, steps.length + 1, told));
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

/** Threads that wait by reading: what they read last. */
function waitNotes({ blocked, threads }: Snapshot): Map<SnapshotEvent, string> {
  const notes = new Map<SnapshotEvent, string>();
  for (const { reason, thread, loads } of blocked) {
    const last = threads[thread].events.at(-1);
    if (reason === 'sleep' && last !== undefined) notes.set(last, 'sleeps for ever');
    if (reason === 'spin') for (const load of loads) notes.set(load, 'again and again, for ever');
  }
  return notes;
}

function clashNotes({ kind, keys, last }: Finding, order: readonly SnapshotEvent[]): [SnapshotEvent, string][] {
  if (last === null || last.event === null) return [];
  const steps = keys.map((key) => order.indexOf(key) + 1).sort((a, b) => a - b);
  const note = kind === 'data-race' ? `races with step ${steps[0]}` : `freed in step ${steps[0]}`;
  return [[order[(steps.at(-1) as number) - 1], note]];
}

interface Told {
  readonly snapshot: Snapshot;
  readonly names: Names;
  readonly siteName: (site: AccessSite) => string;
}

/** Where a step is that stands behind the events of its thread. */
function behindEvents(
  thread: number,
  number: number,
  { threads }: Snapshot,
): Pick<Step, 'number' | 'thread' | 'position'> {
  const { name, events } = threads[thread];
  return { number, thread: name, position: events.length + 1 };
}

/** A lock that is not taken, a grace period that does not end: no event of the execution. */
function waitingStep(
  { thread, reason, site, address }: SnapshotBlocked,
  number: number,
  { snapshot, names, siteName }: Told,
): Step {
  return {
    ...behindEvents(thread, number, snapshot),
    site: siteName(site),
    text: `${PRIMITIVES[site.code].name}(${reason === 'lock' ? names.place(address) : ''})`,
    from: null,
    note: reason === 'lock' ? 'waits for ever' : 'waits for ever for a reader',
    frames: stepFrames(site.frames),
  };
}

/** The step that is no access: BUG(). */
function thrownStep(
  { thread, site }: NonNullable<Finding['last']>,
  message: string,
  number: number,
  { snapshot, siteName }: Told,
): Step {
  return {
    ...behindEvents(thread, number, snapshot),
    site: site === null ? '' : siteName(site),
    text: message,
    from: null,
    note: null,
    frames: site === null ? [] : stepFrames(site.frames),
  };
}
