// SPDX-License-Identifier: GPL-2.0-only
import type { GuardClaim } from '../scenario.js';

/** Without it, this is found under every model. */
export const everywhere = (name: string, kind: string): GuardClaim => ({
  name,
  without: { sc: { kind }, tso: { kind }, lkmm: { kind } },
});

/** Needed where stores, or loads, may change places: under the Linux-kernel model alone. */
export const weakOnly = (name: string, kind: string): GuardClaim => ({
  name,
  without: { sc: 'holds', tso: 'holds', lkmm: { kind } },
});

/** The proof does not need it. */
export const nowhere = (name: string): GuardClaim => ({
  name,
  without: { sc: 'holds', tso: 'holds', lkmm: 'holds' },
});
