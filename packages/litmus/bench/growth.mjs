// SPDX-License-Identifier: MIT
// How the time of `solve` grows with threads and events, on tests of the kind that enumerating candidates cannot do:
//   node packages/litmus/bench/growth.mjs [--most SECONDS] [FAMILY...]
import { parseArgs } from 'node:util';
import { cyclicTest, parseLitmus, ring, solve } from '@lockless/litmus';

const edge = (order, next) => ({ order, next });

/** Families by name: a pattern that a cycle repeats, and how many threads it takes. */
const RINGS = {
  'SB, smp_mb': [edge('Mb', 'Fre')],
  'LB, release': [edge('Release', 'Rfe')],
  'LB, data': [edge('Data', 'Rfe')],
  'LB, control': [edge('Ctrl', 'Rfe')],
  '2+2W, smp_wmb': [edge('Wmb', 'Coe')],
  'LB in RCU readers and grace periods': [edge('Rcu', 'Rfe'), edge('Sync', 'Rfe')],
  'SB in RCU readers and grace periods': [edge('Rcu', 'Fre'), edge('Sync', 'Fre')],
  'LB in SRCU readers and grace periods': [edge('Srcu', 'Rfe'), edge('SyncSrcu', 'Rfe')],
  'SB in critical sections': [edge('Lock', 'Fre')],
  'LB in critical sections': [edge('Lock', 'Rfe')],
  'rel-acq chain': [edge('Release', 'Rfe'), edge('Acquire', 'Rfe'), edge('Mb', 'Fre')],
};

/** A thread takes and releases one lock again and again; so does another. */
function chain(sections) {
  const section = '\tspin_lock(l);\n\tr0 = READ_ONCE(*x);\n\tr1 = r0 + 1;\n\tWRITE_ONCE(*x, r1);\n\tspin_unlock(l);\n';
  const thread = (number) =>
    `P${number}(int *x, spinlock_t *l)\n{\n\tint r0;\n\tint r1;\n${section.repeat(sections)}}\n`;
  return `C lock-chain-${sections}\n{}\n${thread(0)}\n${thread(1)}\nexists (x=${2 * sections})\n`;
}

const FAMILIES = {
  ...Object.fromEntries(
    Object.entries(RINGS).map(([name, pattern]) => [
      name,
      { from: Math.max(2, pattern.length), step: pattern.length, test: (n) => cyclicTest(name, ring(n, pattern)) },
    ]),
  ),
  'lock chain, 2 threads of n sections': { from: 1, step: 1, test: chain },
};

const { values, positionals } = parseArgs({
  options: { most: { type: 'string', default: '2' } },
  allowPositionals: true,
});
for (const [name, { from, step, test }] of Object.entries(FAMILIES)) {
  if (positionals.length > 0 && !positionals.some((word) => name.includes(word))) continue;
  process.stdout.write(
    `\n### ${name}\n\n| n | events | executions | states | ms | executions/s |\n|---|---|---|---|---|---|\n`,
  );
  for (let n = from, seconds = 0; seconds < Number(values.most) && n <= 20; n += step) {
    const litmus = parseLitmus(test(n));
    const outcome = solve(litmus, { execution: true });
    seconds = outcome.seconds;
    const executions = outcome.positive + outcome.negative;
    const events = outcome.execution?.skeleton.events.length;
    const cells = [
      n,
      events,
      executions,
      outcome.states.length,
      (seconds * 1000).toFixed(1),
      Math.round(executions / seconds),
    ];
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  }
}
