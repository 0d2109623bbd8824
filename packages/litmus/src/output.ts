// SPDX-License-Identifier: MIT
import type { Litmus } from './ast.js';
import type { Outcome, Trouble } from './outcome.js';
import { compareStates, stateText } from './state.js';

export type Observation = 'Never' | 'Sometimes' | 'Always';

/** How often the condition (without its quantifier) holds. `Never` also where no execution is left to count. */
export function observation({ positive, negative }: Pick<Outcome, 'positive' | 'negative'>): Observation {
  if (positive === 0) return 'Never';
  return negative === 0 ? 'Always' : 'Sometimes';
}

/** The final states in herd's order and notation. */
export function finalStates({ places, states }: Pick<Outcome, 'places' | 'states'>): string[] {
  return [...states].sort(compareStates).map((state) => stateText(places, state));
}

const KINDS = { exists: 'Allowed', '~exists': 'Forbidden', forall: 'Required' } as const;

/** Whether the condition holds with its quantifier. */
export function conditionHolds({ quantifier }: Litmus, { positive, negative }: Outcome): boolean {
  if (quantifier === 'exists') return positive > 0;
  return quantifier === 'forall' ? negative === 0 : positive === 0;
}

/**
 * What herd7 prints, byte for byte, but for the time and the line with the hash of the test: herd hashes its own printing of the program with all
 * macros expanded, and a hash that differs would be worse than none. Ends with an empty line, as herd's does.
 */
export function herdOutput(litmus: Litmus, outcome: Outcome): string {
  const { name, quantifier, conditionText } = litmus;
  const { positive, negative } = outcome;
  const states = finalStates(outcome);
  // herd's witnesses are those of the condition with its quantifier; its observation is about the condition alone.
  const [witnesses, others] = quantifier === '~exists' ? [negative, positive] : [positive, negative];
  const cut = outcome.troubles.some(({ kind }) => kind === 'bounded') ? 'Loop ' : '';
  const lines = [
    `Test ${name} ${KINDS[quantifier]}`,
    `States ${states.length}`,
    ...states,
    `${cut}${conditionHolds(litmus, outcome) ? 'Ok' : 'No'}`,
    'Witnesses',
    `Positive: ${witnesses} Negative: ${others}`,
    ...[...outcome.flags].sort().map((flag) => `Flag ${flag}`),
    `Condition ${conditionText}`,
    `Observation ${name} ${observation(outcome)} ${positive} ${negative}`,
    `Time ${name} ${outcome.seconds.toFixed(2)}`,
  ];
  return `${lines.join('\n')}\n\n`;
}

/** What herd does not say: why executions are missing. One line each, with the place in the file where there is one. */
export function troubleLines({ source, filter }: Litmus, outcome: Outcome): string[] {
  const lines = outcome.troubles.map(
    (each) => `${source.file}:${each.at.line}:${each.at.column}: ${troubleText(each)}`,
  );
  if (outcome.positive + outcome.negative > 0 || lines.length > 0) return lines;
  return [`${source.file}: ${filter === null ? NONE : NONE_LEFT}`];
}

const NONE = 'there is no execution: each one comes to a lock that it can never take';
const NONE_LEFT = 'no execution passes the filter: what it waits for cannot happen';

function troubleText(trouble: Trouble): string {
  if (trouble.kind === 'bounded')
    return `P${trouble.thread} would run this loop more than ${trouble.bound} times: those executions were cut, and nothing is said about them`;
  return `P${trouble.thread} waits here for ever for the lock ${trouble.variable}: an execution that deadlocks has no final state and is not counted`;
}
