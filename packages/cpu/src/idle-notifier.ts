// SPDX-License-Identifier: MIT
import type { Op } from './op.js';

/*
 * What is to be done when a CPU has nothing more to do, arch/x86/kernel/process_64.c (2.6.27): a chain of functions. Whoever drives the machine calls it. The
 * simulator has hooks of its own for that (rcuHooks); natively the machine calls it at the end of a job of the event loop, and before a thread sleeps.
 */

const chain: (() => Op<void>)[] = [];

/** idle_notifier_register(), at module load. */
export function idleNotifierRegister(notify: () => Op<void>): void {
  chain.push(notify);
}

/** enter_idle(): this CPU has nothing more to do, or goes to sleep. *Context*: any; maybe inside an RCU reader that sleeps on a spin lock. */
export function* enterIdle(): Op<void> {
  for (const notify of chain) yield* notify();
}
