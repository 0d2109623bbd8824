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
  const { table, seed, instances, givenUp, seconds, rows, met } = outcome;
  const states = Math.max('outcome'.length, ...rows.map(({ state }) => state.length));
  const counts = Math.max('count'.length, ...rows.map(({ count }) => counted(count).length));
  const lost = givenUp > 0 ? `, ${counted(givenUp)} given up` : '';
  const line = (state: string, count: string, mark: string, words: string): string =>
    `  ${mark} ${state.padEnd(states)}  ${count.padStart(counts)}  ${words}`.trimEnd();
  return [
    `${name}: ${table} table, ${counted(instances)} instances${lost}, ${seconds.toFixed(1)} s, seed ${seed}; threads met: ${percent(met)}`,
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

/** What was seen and must not be: how often, since when, and how to see it again. `command` is the one that shows it. */
export function forbiddenText({ instances, rows, weakened, table }: NativeOutcome, command: string): string {
  const lines = rows
    .filter(({ kind }) => kind === 'forbidden')
    .map(({ state, count, found }) => {
      const since = `first seen within ${counted(found ?? instances)}`;
      return `  ${state}  in ${counted(count)} of ${counted(instances)} instances, ${since}`;
    });
  const planted = weakened.length > 0 ? `, with ${weakened.join(', ')} ordering nothing` : '';
  return [
    `No execution that LKMM allows ends in this, and threads did by the ${table} table${planted}:`,
    ...lines,
    `  again: ${command}`,
    '  The seed chooses delays and where the variables lie; when threads run it does not: what was rare may need more --seconds.',
    '',
  ].join('\n');
}

const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;

/** The table of one scenario. */
export function scenarioTable(outcome: ScenarioOutcome): string {
  const { scenario, without, noise, instances, seconds, seed, outcomes, met } = outcome;
  const left = `${without.length === 0 ? '' : ` without ${without.join(', ')}`}${noise ? ', with noise' : ''}`;
  const counts = Math.max(...outcomes.map(({ count }) => counted(count).length));
  return [
    `${scenario}${left}: ${counted(instances)} instances, ${seconds.toFixed(1)} s, seed ${seed}; threads met: ${percent(met)}`,
    ...outcomes.map(({ outcome, count, violated, found }) => {
      const since = violated && found !== null ? `, first within ${counted(found)} instances` : '';
      return `  ${counted(count).padStart(counts)}  ${outcome}${since}`;
    }),
    '',
  ].join('\n');
}
