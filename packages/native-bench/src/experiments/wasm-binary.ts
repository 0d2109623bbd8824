// SPDX-License-Identifier: GPL-2.0-only
import { Unavailable } from '../harness/subject.js';
import type { Session } from '../measure.js';
import { optional } from '../subjects/installed.js';
import { compileLookup } from '../wasm/lookup-module.js';

/** The WebAssembly module, or null where the package that translates it is not installed. */
export async function tryCompile(session: Session, experiment: string): Promise<Uint8Array | null> {
  try {
    await optional('wabt', () => import('wabt'));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    session.skipped.push({ experiment, subject: 'wasm', reason: error.message });
    return null;
  }
  return await compileLookup();
}
