// SPDX-License-Identifier: MIT
import type { Op } from '@lockless/cpu';

/** One step of a program: what is done, and numbers that say to what. */
export type Step = readonly [kind: number, a: number, b: number];

/**
 * A program for one CPU, of steps that somebody else chooses. Its file is loaded twice: as it is, for the sequential engine, and stripped, with the native
 * builds of the packages it imports.
 */
export interface Program {
  boot(): Op<void>;
  /** Its result, as numbers. */
  step(step: Step): Op<number[]>;
  /** A device is done with a request, at once. */
  serve?(request: number): Op<void>;
}
