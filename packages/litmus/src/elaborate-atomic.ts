// SPDX-License-Identifier: MIT
import type { Tag } from '@lockless/memory-model';
import type { Position } from './ast.js';
import type { Planned } from './elaborate-event.js';
import { constant, type Operand, type Path, union } from './elaborate-path.js';
import type { Operator } from './elaborate-value.js';
import type { Macro, Ordering } from './macros.js';

/** What follows an expression: its value, on one of the paths that it may have taken. */
export type Then = (operand: Operand, path: Path) => void;

/** The halves of a read-modify-write: an acquire is the load's, a release the store's, a full barrier both's. */
const HALVES: Readonly<Record<Ordering, { readonly load: Tag; readonly store: Tag }>> = {
  mb: { load: 'mb', store: 'mb' },
  acquire: { load: 'acquire', store: 'once' },
  release: { load: 'once', store: 'release' },
  once: { load: 'once', store: 'once' },
  noreturn: { load: 'noreturn', store: 'noreturn' },
};

/**
 * Dependencies inside a read-modify-write are herd's: what is computed from the old value depends on the load through data, what is stored instead of
 * it through control; the store of a conditional one depends through control on what decides.
 */
export function modify(
  { operator, ordering, returns }: Extract<Macro, { does: 'modify' }>,
  address: Operand,
  by: Operand,
  path: Path,
  at: Position,
): Operand {
  const { load: loadTag, store: storeTag } = HALVES[ordering];
  const load = path.event({ type: 'R', tag: loadTag, address, at });
  const before = loaded(load);
  const after = operation(operator, before, by);
  path.event({ type: 'W', tag: storeTag, address, value: after, load, at });
  const loads = union(by.loads, [load]);
  switch (returns) {
    case 'nothing':
      return constant(0n);
    case 'old':
      return { term: before.term, loads };
    case 'new':
      return after;
    case 'new == 0':
      return operation('==', after, constant(0n));
    case 'new < 0':
      return operation('<', after, constant(0n));
  }
}

export function exchange(ordering: Ordering, address: Operand, value: Operand, path: Path, at: Position): Operand {
  const tags = HALVES[ordering];
  const load = path.event({ type: 'R', tag: tags.load, address, at });
  path.event({ type: 'W', tag: tags.store, address, value, ctrl: [load], load, at });
  return loaded(load);
}

/** What a conditional read-modify-write does with the old value. */
interface Condition {
  readonly holds: Operand;
  readonly value: Operand;
  /** Loads on which the store depends through control. */
  readonly ctrl: readonly Planned[];
  /** What it returns when it stores, and when it does not. */
  readonly stored: Operand;
  readonly failed: Operand;
}

/** Where it fails it is a load without any ordering. */
function storeIf(
  ordering: Ordering,
  address: Operand,
  path: Path,
  at: Position,
  conditionOf: (old: Operand, load: Planned) => Condition,
  then: Then,
): void {
  const tags = HALVES[ordering];
  const load = path.event({ type: 'R', tag: 'once', address, at });
  const { holds, value, ctrl, stored, failed } = conditionOf(loaded(load), load);
  path.branch(
    holds.term,
    (success) => {
      success.event({ type: 'W', tag: tags.store, address, value, ctrl, load, at });
      then(stored, success);
    },
    (failure) => then(failed, failure),
    [
      { load, type: 'R', tag: tags.load, failed: false },
      { load, type: 'R', tag: 'once', failed: true },
    ],
  );
}

export function compareExchange(
  ordering: Ordering,
  [address, expected, value]: readonly [Operand, Operand, Operand],
  path: Path,
  at: Position,
  then: Then,
): void {
  const conditionOf = (old: Operand, load: Planned): Condition => {
    const ctrl = union(expected.loads, [load]);
    return { holds: operation('==', old, expected), value, ctrl, stored: old, failed: old };
  };
  storeIf(ordering, address, path, at, conditionOf, then);
}

export function addUnless(
  ordering: Ordering,
  [address, added, unless]: readonly [Operand, Operand, Operand],
  path: Path,
  at: Position,
  then: Then,
): void {
  const conditionOf = (old: Operand, load: Planned): Condition => {
    const loads = union([load], unless.loads);
    const answer = (truth: bigint): Operand => ({ ...constant(truth), loads });
    const value = operation('+', old, added);
    return { holds: operation('!=', old, unless), value, ctrl: unless.loads, stored: answer(1n), failed: answer(0n) };
  };
  storeIf(ordering, address, path, at, conditionOf, then);
}

/** Value of a lock word while somebody holds it. */
const HELD = 1n;
export const FREE = 0n;

export function lock(address: Operand, path: Path, at: Position): void {
  const load = path.event({ type: 'LKR', tag: 'acquire', address, at });
  takeLock(load, address, path, at);
}

export function unlock(address: Operand, path: Path, at: Position): void {
  path.event({ type: 'UL', tag: 'release', address, value: constant(FREE), at });
}

/** Whether the lock was free when it looked. */
export function trylock(address: Operand, path: Path, at: Position, then: Then): void {
  const load = path.event({ type: 'LF', tag: 'once', address, at });
  path.branch(
    loaded(load).term,
    (failure) => then({ ...constant(0n), loads: [load] }, failure),
    (success) => {
      takeLock(load, address, success, at);
      then({ ...constant(1n), loads: [load] }, success);
    },
    [null, { load, type: 'LKR', tag: 'acquire', failed: false }],
  );
}

export function isLocked(address: Operand, path: Path, at: Position): Operand {
  return loaded(path.event({ type: 'RL', tag: 'once', address, at }));
}

function takeLock(load: Planned, address: Operand, path: Path, at: Position): void {
  path.event({ type: 'LKW', tag: 'once', address, value: constant(HELD), ctrl: [load], load, at });
}

export const loaded = (load: Planned): Operand => ({ term: { kind: 'load', load }, loads: [load] });

export const operation = (operator: Operator, left: Operand, right: Operand): Operand => ({
  term: { kind: 'operation', operator, left: left.term, right: right.term },
  loads: union(left.loads, right.loads),
});
