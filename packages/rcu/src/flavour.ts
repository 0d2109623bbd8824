// SPDX-License-Identifier: GPL-2.0-only
import { defineWord, peek, poke, type Ref } from '@lockless/cpu';
import { countRcuEvents } from './rcu-events.js';

/**
 * Which implementation of grace periods the machine was booted with.
 *
 * - `classic` (0): rcuclassic.ts, Linux 2.6.27: quiescent states of CPUs, driven by context switches and ticks.
 * - `events` (1): none: a grace period is one event, whose meaning the engine's memory model has. For the checker.
 * - `urcu-mb` (2): urcu-mb.ts, user-space RCU: a counter for each reader. Needs neither a scheduler nor ticks.
 * - `urcu-qsbr` (3): urcu-qsbr.ts, the same with readers that cost nothing and CPUs that say when they are in no reader.
 */
export const FLAVOUR_CLASSIC = 0;
export const FLAVOUR_EVENTS = 1;
export const FLAVOUR_URCU_MB = 2;
export const FLAVOUR_URCU_QSBR = 3;

/** Written at boot, constant after it, so reading it is no access. */
const flavour: Ref<number> = defineWord('rcu_flavour');

/** The flavour of the machine at hand. */
export const rcuFlavour = (): number => peek(flavour);

/** Boot. */
export const selectFlavour = (selected: number): void => poke(flavour, selected);

/**
 * Boots RCU whose grace periods are *assumed*: rcu_read_lock(), rcu_read_unlock() and synchronize_rcu() are the events of those names that
 * the Linux-kernel memory model has axioms for, and call_rcu() is the event after which the engine waits for a grace period and calls the function.
 * For checking code that uses RCU, without the accesses of an implementation of it. Takes the place of rcuInit().
 *
 * *Context*: boot, under an engine that knows these events: the checker, or cpu's SequentialEngine. `numbered`: grace-period cookies
 * will be asked for, which costs synchronize_rcu() three accesses.
 */
export function bootRcuEvents(numbered = false): void {
  selectFlavour(FLAVOUR_EVENTS);
  if (numbered) countRcuEvents();
}
