// SPDX-License-Identifier: GPL-2.0-only
import { cpus, loadavg, release, type } from 'node:os';
import type { Spread } from './harness/statistics.js';

/** One thing that was measured of one subject. */
export interface NativeFigure extends Spread {
  readonly experiment: string;
  readonly subject: string;
  /** `ns`: of one operation; `× other`: ratio to another subject in the same round; and others, each said where it is measured. */
  readonly measure: string;
  /** Where there are several sizes. */
  readonly at?: number;
}

/** What is not measured here, and why. */
export interface Skipped {
  readonly experiment: string;
  readonly subject: string;
  readonly reason: string;
}

/** Where figures come from. */
export interface MachineDescription {
  readonly processor: string;
  readonly processors: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** Mean number of threads that wanted to run in the minute before: what others did. */
  readonly load: number;
}

export interface NativeResults {
  readonly machine: MachineDescription;
  readonly figures: readonly NativeFigure[];
  readonly skipped: readonly Skipped[];
  /** False: it was interrupted. */
  readonly complete: boolean;
}

export const describeMachine = (): MachineDescription => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  processors: cpus().length,
  system: `${type()} ${release()}`,
  node: process.versions.node,
  v8: process.versions.v8,
  load: loadavg()[0] ?? Number.NaN,
});
