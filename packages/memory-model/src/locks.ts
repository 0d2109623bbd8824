// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import { INITIAL } from './event.js';
import type { Witness } from './model.js';

/*
 * Locks (lock.cat). A lock word is 0 at first and after an unlock (UL), 1 after an acquisition (LKR, LKW: a read-modify-write). What lock.cat generates
 * a search must offer:
 *
 *   LKR, RU  read the initial store or any UL of the lock (RU of its own thread only the last UL before it: coherence sees to that);
 *   LF, RL   read the LKW whose critical section they are in, else any LKW of another thread (coherence sees to that too);
 *   co       orders LKW and UL together, each UL right after its LKW (atomicity of the next acquisition forces that); an LKW without UL comes last.
 *
 * lock.cat leaves out executions that no real lock allows, by `empty ... as lock-nest` and so on; those are axioms here. They are of two kinds: what the
 * program order of a thread rules out whoever reads from whom (a deadlock), and a lock word that is read with the wrong value.
 */

export const LOCK_AXIOMS = ['lock-nest', 'nested-is-locked', 'unmatched-locks', 'lock-values'] as const;
type LockAxiom = (typeof LOCK_AXIOMS)[number];

export class Locks {
  readonly #classes: Classes;
  readonly any: boolean;
  /** The axiom that program order alone breaks, whoever reads from whom, and the two events that do. */
  readonly deadlock: { readonly axiom: LockAxiom; readonly from: number; readonly to: number } | null;
  /** Loads of lock words. */
  readonly #loads: readonly number[];
  /** UL events without a critical section that they end. */
  readonly unmatchedUnlocks: readonly number[];

  constructor(classes: Classes) {
    const { events } = classes;
    this.#classes = classes;
    this.any = (['LKR', 'LKW', 'UL', 'LF', 'RL', 'RU'] as const).some((type) => classes.hasType(type));
    const loads: number[] = [];
    const unmatched: number[] = [];
    /** LKW that holds the lock, by thread and location. */
    const held = new Map<string, number>();
    let deadlock: Locks['deadlock'] = null;
    if (this.any)
      events.forEach(({ thread, type, location }, i) => {
        if (thread === INITIAL || type === 'R' || type === 'W' || type === 'F') return;
        const lock = `${thread}:${location}`;
        const holder = held.get(lock) ?? -1;
        if (type === 'LKW') held.set(lock, i);
        else if (type === 'UL') {
          if (holder === -1) unmatched.push(i);
          held.delete(lock);
        } else {
          if (type === 'LKR' && holder !== -1) deadlock ??= { axiom: 'lock-nest', from: holder, to: i };
          if (type === 'RU' && holder !== -1) deadlock ??= { axiom: 'nested-is-locked', from: holder, to: i };
          loads.push(i);
        }
      });
    for (const [from, to] of pairsOf([...held.values()]))
      if (events[from].location === events[to].location) deadlock ??= { axiom: 'unmatched-locks', from, to };
    this.deadlock = deadlock;
    this.#loads = loads;
    this.unmatchedUnlocks = unmatched;
  }

  /** A load of a lock word that reads from a store it cannot read from, or -1. */
  misread({ rf }: Witness): number {
    const { events } = this.#classes;
    for (const load of this.#loads) {
      if (rf[load] === -1) continue;
      const store = events[rf[load]];
      const held = events[load].type === 'LF' || events[load].type === 'RL';
      if (held ? store.type !== 'LKW' : store.type !== 'UL' && store.thread !== INITIAL) return load;
    }
    return -1;
  }
}

function* pairsOf(items: readonly number[]): Generator<[number, number]> {
  for (const [i, first] of items.entries()) for (const second of items.slice(i + 1)) yield [first, second];
}
