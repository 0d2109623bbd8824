// SPDX-License-Identifier: GPL-2.0-only
import type { GuardClaim } from './scenario.js';

/** Found under every model: the step is needed whatever the memory does. */
export const always = (name: string, kind: string): GuardClaim => ({
  name,
  without: { sc: { kind }, tso: { kind }, lkmm: { kind } },
});
/** {@link always}, and found in that function: where a rule names who breaks it. */
export const alwaysAt = (name: string, kind: string, at: string): GuardClaim => ({
  name,
  without: { sc: { kind, at }, tso: { kind, at }, lkmm: { kind, at } },
});
/** Needed where stores wait in a buffer: store buffering, lost wake-ups. */
export const whereStoresWait = (name: string, kind: string): GuardClaim => ({
  name,
  without: { sc: 'holds', tso: { kind }, lkmm: { kind } },
});
/** Needed under LKMM alone: under TSO, stores stay in order, loads do, and every locked instruction is a full barrier. */
export const weakOnly = (name: string, kind: string): GuardClaim => ({
  name,
  without: { sc: 'holds', tso: 'holds', lkmm: { kind } },
});
/** Not needed here, under any model. */
export const notNeeded = (name: string): GuardClaim => ({
  name,
  without: { sc: 'holds', tso: 'holds', lkmm: 'holds' },
});
