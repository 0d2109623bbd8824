// SPDX-License-Identifier: GPL-2.0-only
import { guards } from '@lockless/cpu/native';
import { scenarios } from '@lockless/scenarios/native';
import { Crew, type RunOptions, type Seen } from './crew.js';
import { BROKEN, INSTANCES, SCENARIO_BYTES } from './scenario-cases.js';

export interface ScenarioOptions extends RunOptions {
  /** A run ends when it had so many, or up to a batch more, if its time does not end before. */
  readonly instances?: number;
  /** Default: fast. */
  readonly table?: 'fast' | 'strict';
  /** Guards to leave out: is it noticed? Throws RangeError for one that there is not. */
  readonly without?: readonly string[];
  /** Default: 1. */
  readonly seed?: number;
  /** Threads stop at random before their accesses, for as long as others take for some: rare interleavings are less rare. Default: false. */
  readonly noise?: boolean;
  /** Ends when a claim is broken. Default: false. */
  readonly untilViolated?: boolean;
}

/** What the program of a scenario showed natively. */
export interface ScenarioOutcome {
  readonly scenario: string;
  readonly without: readonly string[];
  readonly noise: boolean;
  readonly seed: number;
  readonly instances: number;
  readonly seconds: number;
  /** How often each outcome was seen; those that the scenario must reach are there even if they were not. Broken claims come first. */
  readonly outcomes: readonly {
    readonly outcome: string;
    readonly count: number;
    readonly violated: boolean;
    /** Instances until the first batch in which it was seen was over; null for what was not seen. */
    readonly found: number | null;
  }[];
  /** Of the times that a thread waited for another one, how often that one came. */
  readonly met: number;
  /** Whether no claim was broken. */
  readonly holds: boolean;
}

/** The scenarios whose programs have a native build. */
export const nativeScenarios = (): readonly string[] => scenarios.map(({ name }) => name);

/**
 * Guards of the scenario that can be left out natively: those of which it says that they are needed on x86 (without them something is found under total store
 * order too), or the others, which only a weaker memory needs.
 */
export const guardsOf = (name: string, neededOnX86: boolean = true): readonly string[] =>
  scenarios
    .filter((scenario) => scenario.name === name)
    .flatMap((scenario) => scenario.guards)
    .filter(
      ({ name, without }) => (without.tso !== 'holds') === neededOnX86 && guards().some((guard) => guard.name === name),
    )
    .map((guard) => guard.name);

/** Bytes for what threads return. */
const OUT = 1 << 20;

/** Runs the program of a scenario on threads of its own. */
export async function runScenario(name: string, options: ScenarioOptions = {}): Promise<ScenarioOutcome> {
  const { table = 'fast', without = [], seed = 1, noise = false, untilViolated = false, instances: wanted } = options;
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new RangeError(`no native scenario '${name}': one of ${nativeScenarios().join(', ')}`);
  const unknown = without.find((guard) => !guards().some((each) => each.name === guard));
  if (unknown !== undefined) throw new RangeError(`unknown guard '${unknown}'`);
  const crew = new Crew({ build: table, without, noise, memory: SCENARIO_BYTES, out: OUT });
  try {
    const shape = { threads: Object.keys(found.threads).length, instances: INSTANCES };
    const seen = await crew.run({ kind: 'scenario', name, seed }, shape, {
      ...options,
      ...(wanted === undefined ? {} : { batches: Math.ceil(wanted / INSTANCES) }),
      ...(untilViolated ? { until: (outcome) => outcome.startsWith(BROKEN) } : {}),
    });
    const counts = new Map((found.mustReach ?? []).map((label): [string, number] => [label, 0]));
    for (const [outcome, count] of seen.outcomes) counts.set(outcome, count);
    if (seen.stuck !== null) counts.set(stuckText(seen.stuck.map((thread) => Object.keys(found.threads)[thread])), 1);
    const outcomes = [...counts]
      .map(([outcome, count]) => {
        const violated = outcome.startsWith(BROKEN);
        return {
          outcome,
          count,
          violated,
          found: seen.found.get(outcome) ?? (count > 0 ? instancesOf(seen) + INSTANCES : null),
        };
      })
      .sort((a, b) => Number(b.violated) - Number(a.violated));
    const instances = outcomes.reduce((sum, { count }) => sum + count, 0);
    const holds = outcomes.every(({ violated }) => !violated);
    return { scenario: name, without, noise, seed, instances, seconds: seen.seconds, outcomes, met: seen.met, holds };
  } finally {
    await crew.end();
  }
}

const instancesOf = ({ outcomes }: Seen): number => [...outcomes.values()].reduce((sum, count) => sum + count, 0);

/** A livelock, as an outcome: the threads that do not come back from an instance. */
function stuckText(threads: readonly string[]): string {
  if (threads.length === 0) return `${BROKEN}stuck: setup or claims never end`;
  return `${BROKEN}stuck: ${threads.join(' and ')} ${threads.length === 1 ? 'does' : 'do'} not come back`;
}
