// SPDX-License-Identifier: MIT
import type { Guard } from '@lockless/cpu';
import { CheckError } from './errors.js';
import type { Checkpoint } from './explore/checkpoint.js';
import type { Exploring } from './exploring.js';
import type { Program } from './program.js';
import type { CheckOptions, CheckResult, ModelName } from './result.js';

/** Where a check stopped: {@link CheckOptions.resume} goes on from there, in another process if need be. JSON. */
export interface CheckCheckpoint {
  readonly version: 1;
  readonly scenario: string;
  readonly model: ModelName;
  readonly without: readonly string[];
  readonly maxEvents: number | null;
  readonly reached: Readonly<Record<string, number>>;
  readonly guards: readonly Guard[];
  /** Ordering sites that were met. */
  readonly met: readonly string[];
  /** For the explorer alone. */
  readonly exploration: Checkpoint;
}

export function checkpointOf(
  { scenario, model, without, reached, guards, sites }: CheckResult,
  { explorer, options }: Exploring,
): CheckCheckpoint {
  const met = sites.map(({ name }) => name);
  const maxEvents = options.maxEvents ?? null;
  return { version: 1, scenario, model, without, maxEvents, reached, guards, met, exploration: explorer.checkpoint() };
}

/** Throws CheckError on what is no checkpoint, or one of another check. */
export function resumeFrom(given: unknown, program: Program, options: CheckOptions): CheckCheckpoint {
  const checkpoint = (given ?? {}) as Partial<CheckCheckpoint>;
  const { version, scenario, model, without, exploration, maxEvents } = checkpoint;
  if (version !== 1 || typeof exploration !== 'object' || exploration === null)
    throw new CheckError('checkpoint', 'this is no checkpoint of a check, or of another version');
  const of = (name: unknown, by: unknown, left: readonly string[] = [], most: unknown): string =>
    `${name} under ${by}${left.length > 0 ? ` without ${left.join(', ')}` : ''}${most === null ? '' : ` of at most ${most} events a thread`}`;
  const saved = of(scenario, model, without, maxEvents);
  const asked = of(program.name, options.model ?? 'lkmm', options.without, options.maxEvents ?? null);
  if (saved !== asked) throw new CheckError('checkpoint', `this is a checkpoint of ${saved}, not of ${asked}`);
  return checkpoint as CheckCheckpoint;
}
