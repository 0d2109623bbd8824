// SPDX-License-Identifier: GPL-2.0-only

import { addCosts, measureAlone, type Session } from '../measure.js';
import { ACCESS_NAMES } from '../subjects/access-loops.js';

/** Single accesses to one word, in JavaScript and in WebAssembly, and calls from the one to the other. */
export async function accesses(session: Session): Promise<void> {
  const sources = ACCESS_NAMES.map((access) => ({
    name: access,
    module: 'access' as const,
    options: { access },
  }));
  addCosts(session, 'accesses', await measureAlone(session, 'accesses', sources), []);
}
