// SPDX-License-Identifier: GPL-2.0-only
import { type Deliberate, deliberateDifferences, type RealField } from './deliberate.js';
import { type Fact, factsOf } from './facts.js';
import { FrameNames } from './frame-names.js';
import type { Side, SideRun } from './observation.js';
import type { Script } from './script.js';

/** One field that is not the same on both sides. */
export interface FieldDifference {
  /** `P1 page 3`, `P0 area 0+8`, or `step`. */
  readonly where: string;
  readonly field: string;
  readonly simulated: string;
  readonly real: string;
}

/** The first step after which the sides differ. */
export interface Difference {
  /** Index of the step. */
  readonly step: number;
  readonly fields: readonly FieldDifference[];
}

export interface Comparison {
  /** Steps that were performed and compared. */
  readonly steps: number;
  readonly difference: Difference | null;
  /** Names of the deliberate differences that were met. */
  readonly deliberate: readonly string[];
}

/** Performs a script on both sides, and compares field by field after every step up to the first difference. */
export function compareScript(script: Script, simulated: Side, real: Side): Comparison {
  return compareRuns(script, simulated.run(script), real.run(script));
}

function compareRuns(script: Script, simulated: SideRun, real: SideRun): Comparison {
  const names = [new FrameNames(), new FrameNames()] as const;
  const deliberate = new Set<string>();
  const upTo = (steps: number, difference: Difference | null): Comparison => ({
    steps,
    difference,
    deliberate: [...deliberate],
  });
  for (let step = 0; step < script.steps.length; step++) {
    const [here, there] = [simulated.observations[step], real.observations[step]];
    if (here === undefined || there === undefined) return upTo(step, unfinished(step, simulated, real));
    if (mayReuseFrames(script, step)) for (const side of names) side.forget();
    const look = (): Explained[] => explained(factsOf(here, names[0]), factsOf(there, names[1]), script, step);
    let seen = look();
    const others = seen.find(({ reason }) => reason?.ends === 'frames')?.reason;
    if (others !== undefined && !seen.some(({ reason }) => reason?.ends === 'step')) {
      deliberate.add(others.name);
      for (const side of names) side.restart();
      seen = look();
    }
    const reasons = seen.map(({ reason }) => reason);
    const whole = reasons.find((reason) => reason?.ends === 'step');
    for (const reason of whole === undefined ? reasons : [whole]) if (reason) deliberate.add(reason.name);
    if (whole !== undefined) return upTo(step, null);
    const fields = seen.flatMap(({ field, reason }) => (reason === undefined ? [field] : []));
    if (fields.length > 0) return upTo(step + 1, { step, fields });
    if (reasons.some((reason) => reason?.ends === 'rest')) return upTo(step + 1, null);
  }
  const { length } = script.steps;
  const ended = simulated.broken === null && real.broken === null;
  return upTo(length, ended ? null : unfinished(length - 1, simulated, real));
}

interface Explained {
  readonly field: FieldDifference;
  readonly reason: Deliberate | undefined;
}

/** The fields that differ, each with the deliberate difference that it is. */
function explained(simulated: readonly Fact[], real: readonly Fact[], script: Script, step: number): Explained[] {
  const found = differingFacts(simulated, real);
  if (found.length === 0) return [];
  const there = new Map(real.map((fact) => [keyOf(fact), fact.value]));
  const realField: RealField = (where, field) => there.get(keyOf({ where, field }));
  return found.map((field) => ({
    field,
    reason: deliberateDifferences.find(({ explains }) => explains(field, script, step, realField)),
  }));
}

const keyOf = ({ where, field }: Pick<Fact, 'where' | 'field'>): string => `${where}: ${field}`;

/** Of locked memory mremap unmaps first and then brings pages in: the same frames or others, as the allocator will have it. */
const mayReuseFrames = ({ steps }: Script, at: number): boolean =>
  steps[at].op === 'mremap' && steps.slice(0, at).some(({ op }) => op === 'mlock');

function unfinished(step: number, simulated: SideRun, real: SideRun): Difference {
  const field = {
    where: 'step',
    field: 'end',
    simulated: simulated.broken ?? 'went on',
    real: real.broken ?? 'went on',
  };
  return { step, fields: [field] };
}

function differingFacts(simulated: readonly Fact[], real: readonly Fact[]): FieldDifference[] {
  const there = new Map(real.map((fact) => [keyOf(fact), fact]));
  const found: FieldDifference[] = [];
  for (const fact of simulated) {
    const other = there.get(keyOf(fact));
    there.delete(keyOf(fact));
    const { where, field, value } = fact;
    if (other?.value !== value) found.push({ where, field, simulated: value, real: other?.value ?? 'absent' });
  }
  for (const { where, field, value } of there.values()) found.push({ where, field, simulated: 'absent', real: value });
  return found;
}
