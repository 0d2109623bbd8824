// SPDX-License-Identifier: MIT
import { printable, shellWords } from './command-line.js';
import { counterexample } from './counterexample.js';
import { Layout, type TextOptions } from './layout.js';
import { count, mebibytes, milliseconds, percent, plural, words } from './numbers.js';
import type { RunResult } from './run-result.js';
import { agreement, fileTable, processTable } from './tables.js';

/**
 * The run for a terminal: verdict and, when there is one, the violation first; then agreement with the real kernel, processes, files, memory,
 * machine, and how to repeat it. Ends with a newline. Names of foreign origin are printed harmlessly: no control character gets through.
 */
export function renderSummary(result: RunResult, options: TextOptions = {}): string {
  const layout = new Layout(options);
  const run = harmless(result);
  const sections = [
    counterexample(run, layout),
    headline(run, layout),
    agreement(run, layout),
    processTable(run, layout),
    fileTable(run, layout),
    [...memory(run, layout), ...machine(run, layout), ...invariants(run, layout)],
    layout.command('repeat:', run.replay),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** All strings of the result made printable, but for the message of a violation, whose line breaks are kept. */
function harmless({ timeline, ...rest }: RunResult): RunResult {
  const clean = (key: string, value: unknown): unknown =>
    typeof value === 'string' && key !== 'message' ? printable(value) : value;
  return { ...(JSON.parse(JSON.stringify(rest), clean) as Omit<RunResult, 'timeline'>), timeline };
}

const VERDICT = {
  holds: ['green', 'holds', ''],
  violated: ['red', 'VIOLATED', ''],
  bounded: ['yellow', 'bounded', ' (stopped before the end; nothing wrong so far)'],
  interrupted: ['yellow', 'interrupted', ' (nothing wrong so far)'],
} as const;

function headline(result: RunResult, layout: Layout): string[] {
  const { configuration: c, recording } = result;
  const [color, word, explanation] = VERDICT[result.verdict];
  const replayed =
    result.operations === result.operationsTotal
      ? `all ${count(result.operations)} recorded operations`
      : `${count(result.operations)} of ${count(result.operationsTotal)} recorded operations`;
  const faults = Object.entries(c.inject).map(([kind, rate]) => `${kind} ${percent(rate)}`);
  const speed = result.accesses / Math.max(result.seconds, 1e-9) / 1e6;
  const verdict = layout.paint(['bold', color], word);
  return [
    ...layout.wrap(`${verdict}${explanation}  ${layout.paint('bold', shellWords(recording.command))}`, '  ', ''),
    ...layout.entry('replayed', [
      `${replayed} of ${plural(recording.threads, 'thread')} in ${plural(recording.processes, 'process', 'processes')}`,
    ]),
    ...layout.entry('machine', [
      plural(c.cpus, 'CPU'),
      `${mebibytes(c.memoryPages)} of memory`,
      ...(c.swapPages > 0 ? [`${mebibytes(c.swapPages)} of swap`] : []),
      `memory model ${c.model}`,
      `${c.scheduler} scheduling`,
      `page cache ${c.generation}`,
      `reverse mapping ${c.rmap}`,
      ...(c.thp === undefined ? [] : [`huge pages ${c.thp}${c.thpTails === undefined ? '' : `, tails ${c.thpTails}`}`]),
      ...(c.build === 'smp' ? [] : [`build ${c.build}`]),
      `seed ${c.seed}`,
    ]),
    ...(faults.length > 0 ? layout.entry('injecting', faults) : []),
    ...(c.without.length === 0
      ? []
      : layout.entry(
          'without',
          c.without.map((guard) => layout.paint('yellow', guard)),
        )),
    ...layout.entry('executed', [
      `${count(result.accesses)} shared accesses in ${result.seconds.toFixed(1)} s (${speed.toFixed(1)} M/s)`,
      `${milliseconds(result.time)} of virtual time`,
    ]),
  ];
}

function memory({ memory: m, configuration: { swapPages, thp } }: RunResult, layout: Layout): string[] {
  const { lookups, reclaim, rcu, contents } = m;
  const wrong = `${count(contents.wrong)} wrong`;
  return [
    ...layout.title('Memory'),
    ...layout.entry('lookups', [
      count(lookups.total),
      `${count(lookups.hits)} hits`,
      `${count(lookups.misses)} misses`,
      plural(lookups.speculativeRetries, 'retry of the speculative get', 'retries of the speculative get'),
    ]),
    ...layout.entry('reclaim', [
      `${plural(reclaim.scanned, 'page')} scanned`,
      `${count(reclaim.reclaimed)} reclaimed`,
      `kswapd woken ${plural(reclaim.kswapdWakeups, 'time')}`,
      plural(reclaim.directReclaims, 'direct reclaim'),
      `lowest free ${plural(m.lowestFree, 'page')}`,
    ]),
    ...(swapPages > 0
      ? layout.entry('swap', [`${plural(m.swap.pagesOut, 'page')} written`, `${count(m.swap.pagesIn)} read`])
      : []),
    ...(thp === undefined
      ? []
      : layout.entry('huge pages', [
          `${count(m.events.thp_fault_alloc ?? 0)} given`,
          `${count(m.events.thp_fault_fallback ?? 0)} not to be had`,
          `${count(m.events.thp_split ?? 0)} split`,
          ...((m.events.pages_collapsed ?? 0) > 0 ? [`${count(m.events.pages_collapsed)} collapsed`] : []),
        ])),
    ...layout.entry('RCU', [plural(rcu.gracePeriods, 'grace period'), plural(rcu.callbacks, 'callback')]),
    ...layout.entry('contents', [
      `${plural(contents.fileReads, 'file page')} and ${plural(contents.anonymousReads, 'anonymous page')} read back`,
      contents.wrong > 0 ? layout.paint(['bold', 'red'], wrong) : wrong,
    ]),
    ...list('at the end', named(m.zone, 'page'), layout),
  ];
}

/** What there is none of goes without saying. */
const named = (counts: Readonly<Record<string, number>>, unit?: string): string[] =>
  Object.entries(counts)
    .filter(([, n]) => n !== 0)
    .map(([name, n], i) => `${words(name)} ${unit && i === 0 ? plural(n, unit) : count(n)}`);

const list = (label: string, parts: readonly string[], layout: Layout): string[] =>
  parts.length > 0 ? layout.entry(label, parts) : [];

function machine({ machine: m }: RunResult, layout: Layout): string[] {
  const lists = [
    ['injected', m.injected],
    ['new errors', m.newErrors],
  ] as const;
  return [
    ...layout.entry('machine', [
      plural(m.contextSwitches, 'context switch', 'context switches'),
      plural(m.interrupts, 'interrupt'),
      plural(m.lockContentions, 'contended lock'),
      plural(m.staleLoads, 'stale load'),
      plural(m.bufferedStores, 'buffered store'),
    ]),
    ...layout.entry('disk', [`${plural(m.diskReads, 'page')} read`, `${count(m.diskWrites)} written`]),
    ...list('guest', named(m.guest ?? {}), layout),
    ...lists.flatMap(([label, counts]) => list(label, named(counts), layout)),
  ];
}

function invariants({ invariants: all }: RunResult, layout: Layout): string[] {
  const broken = all.filter((i) => i.violations > 0);
  const checks = all.reduce((sum, i) => sum + i.checked, 0);
  const verdict = broken.map((i) =>
    layout.paint(['bold', 'red'], `${i.name} violated ${count(i.violations)} of ${plural(i.checked, 'time')}`),
  );
  return layout.entry('invariants', [
    `${count(all.length)} checked ${plural(checks, 'time')}`,
    ...(broken.length > 0 ? verdict : ['none violated']),
  ]);
}
