// SPDX-License-Identifier: MIT
import type { AccessSite, BlockedThread, Execution } from './explore/execution.js';

/*
 * A copy of an execution: the explorer's own is a view that is valid during a callback only. Reports, replay tokens and drawings are made from this.
 */

export interface SnapshotEvent {
  /** Index in {@link Snapshot.threads}. */
  readonly thread: number;
  /** Position in its thread, from 0. */
  readonly position: number;
  readonly site: AccessSite;
  readonly code: number;
  readonly weakened: boolean;
  readonly address: number;
  readonly operand: number;
  readonly expected: number;
  /** Null when it does not read; of a read-modify-write the old value. */
  readonly read: number | null;
  /** Null when it does not store, as a failed cmpxchg. */
  readonly written: number | null;
  /** The store it reads; null when that is the initial value, or it does not read. */
  readonly from: SnapshotEvent | null;
  /** What the code was given. */
  readonly result: unknown;
}

export interface SnapshotThread {
  readonly name: string;
  readonly cpu: number;
  readonly events: readonly SnapshotEvent[];
  /** The call_rcu() that this thread is the callback of; null for a thread of the program. */
  readonly startedBy: SnapshotEvent | null;
  readonly ended: boolean;
}

/** A thread that waits for ever. */
export interface SnapshotBlocked extends Omit<BlockedThread, 'loads'> {
  readonly loads: readonly SnapshotEvent[];
}

export interface Snapshot {
  readonly threads: readonly SnapshotThread[];
  /** All events, each after its program-order predecessor and after what it reads from. */
  readonly events: readonly SnapshotEvent[];
  /** Stores of each word that threads store to, in coherence order; the initial value comes before them. */
  readonly coherence: ReadonlyMap<number, readonly SnapshotEvent[]>;
  readonly blocked: readonly SnapshotBlocked[];
  /** What an address that occurs in the execution is called: `radix_tree_node@263000.slots[0]`. */
  describe(address: number): string;
  /** What setup left in a word that an event names. */
  initial(address: number): number;
}

export function snapshotOf(execution: Execution, blocked: readonly BlockedThread[] = []): Snapshot {
  const events: SnapshotEvent[] = [];
  for (const event of execution.events) {
    const { thread, position, site, code, weakened, address, operand, expected, read, written, readsFrom, result } =
      event;
    const from = typeof readsFrom === 'number' ? events[readsFrom] : null;
    events.push({ thread, position, site, code, weakened, address, operand, expected, read, written, from, result });
  }
  const coherence = new Map<number, readonly SnapshotEvent[]>();
  for (const { address, written } of events) {
    if (written === null || coherence.has(address)) continue;
    coherence.set(
      address,
      execution.coherence(address).map((i) => events[i]),
    );
  }
  const initial = new Map(events.map(({ address }) => [address, execution.initialWord(address)]));
  const names = new Map<number, string>();
  for (const { address, read, written, operand, expected, result } of events)
    for (const value of [address, read, written, operand, expected, result])
      if (typeof value === 'number' && value > 0)
        for (const near of [value - 1, value]) names.set(near, execution.describe(near));
  for (const { address } of blocked) names.set(address, execution.describe(address));
  return {
    threads: execution.threads.map(({ name, cpu, startedBy, ended }, thread) => ({
      name,
      cpu,
      ended,
      startedBy: startedBy === null ? null : events[startedBy],
      events: events.filter((event) => event.thread === thread),
    })),
    events,
    coherence,
    blocked: blocked.map(({ thread, reason, site, address, loads }) => ({
      thread,
      reason,
      site,
      address,
      loads: loads.map((i) => events[i]),
    })),
    describe: (address) => names.get(address) ?? `word ${address}`,
    initial: (address) => initial.get(address) ?? 0,
  };
}
