// SPDX-License-Identifier: GPL-2.0-only
// For its static data: whoever looks up by hand calls nothing of it.
import '@lockless/rcu/native';
import { staticSymbols } from '@lockless/cpu/native';
import { NativeMachine } from '@lockless/native';
import { FIND_GET_PAGE_LOOKUPS, SPECULATIVE_GET_FAILED, SPECULATIVE_SLOT_MOVED } from '@lockless/page/native';
import { type LookupAddresses, lookupAddresses } from '../lookup-addresses.js';
import type { World } from '../world.js';

const EVENTS = { lookups: FIND_GET_PAGE_LOOKUPS, refused: SPECULATIVE_GET_FAILED, moved: SPECULATIVE_SLOT_MOVED };

export interface InWorld {
  readonly words: Int32Array;
  readonly at: LookupAddresses;
  /** What this thread's lookups met. */
  counts(): Record<string, number>;
  close(): void;
}

/** Takes part in the machine of a world: this thread has a slot, and a word as an RCU reader. */
export function enterWorld({ handle }: World): InWorld {
  const machine = NativeMachine.attach(handle);
  const { words } = machine;
  const at = lookupAddresses(staticSymbols(), EVENTS, machine.cpu);
  const before = Object.fromEntries(Object.keys(EVENTS).map((name) => [name, words[at[name as keyof typeof EVENTS]]]));
  return {
    words,
    at,
    counts: () =>
      Object.fromEntries(
        Object.entries(before).map(([name, value]) => [name, words[at[name as keyof typeof EVENTS]] - value]),
      ),
    close: () => machine.detach(),
  };
}
