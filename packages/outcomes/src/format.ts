// SPDX-License-Identifier: GPL-2.0-only
import type { OutcomeKind, OutcomeRow } from './classify.js';
import type { NativeOutcome } from './native-litmus.js';
import type { ScenarioOutcome } from './native-scenarios.js';

const WORDS: Readonly<Record<OutcomeKind, string>> = {
  sc: 'seen',
  surprising: 'seen, and not sequentially consistent',
  unseen: 'allowed, not seen',
  forbidden: 'FORBIDDEN',
  undetermined: 'seen; the model does not say',
};

const counted = (n: number): string => n.toLocaleString('en-US');

/** The table of one test. An asterisk marks outcomes in which the condition of the test holds. */
export function outcomeTable(name: string, outcome: NativeOutcome): string {
  const { table, seed, instances, givenUp, seconds, rows } = outcome;
  const states = Math.max('outcome'.length, ...rows.map(({ state }) => state.length));
  const counts = Math.max('count'.length, ...rows.map(({ count }) => counted(count).length));
  const lost = givenUp > 0 ? `, ${counted(givenUp)} given up` : '';
  const line = (state: string, count: string, mark: string, words: string): string =>
    `  ${mark} ${state.padEnd(states)}  ${count.padStart(counts)}  ${words}`.trimEnd();
  return [
    `${name}: ${table} table, ${counted(instances)} instances${lost}, ${seconds.toFixed(1)} s, seed ${seed}`,
    line('outcome', 'count', ' ', ''),
    ...rows.map(({ state, count, kind, satisfies }) => line(state, counted(count), satisfies ? '*' : ' ', WORDS[kind])),
    '',
  ].join('\n');
}

/** How many outcomes of each kind. */
export function kindCounts(rows: readonly OutcomeRow[]): Readonly<Record<OutcomeKind, number>> {
  const counts = { sc: 0, surprising: 0, unseen: 0, forbidden: 0, undetermined: 0 };
  for (const { kind } of rows) counts[kind]++;
  return counts;
}

/** The table of one scenario. */
export function scenarioTable({ scenario, without, instances, seconds, outcomes }: ScenarioOutcome): string {
  const left = without.length === 0 ? '' : ` without ${without.join(', ')}`;
  const counts = Math.max(...outcomes.map(({ count }) => counted(count).length));
  return [
    `${scenario}${left}: ${counted(instances)} instances, ${seconds.toFixed(1)} s`,
    ...outcomes.map(({ outcome, count }) => `  ${counted(count).padStart(counts)}  ${outcome}`),
    '',
  ].join('\n');
}
