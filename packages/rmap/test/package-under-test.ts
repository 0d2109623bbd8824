// SPDX-License-Identifier: GPL-2.0-only
import * as shipped from '../src/index.js';

/** The package under test, or a mutant of it. */
export type Rmap = typeof shipped;

/** What the helpers of these tests call. */
export let rmap: Rmap = shipped;

/** Runs a test with a mutant in the package's place. */
export function withPackage<T>(mutant: Rmap, body: () => T): T {
  rmap = mutant;
  try {
    return body();
  } finally {
    rmap = shipped;
  }
}
