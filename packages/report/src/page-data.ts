// SPDX-License-Identifier: MIT
import { shellWords } from './command-line.js';
import { count, mebibytes, milliseconds, percent, plural, words } from './numbers.js';
import { differenceTable, fileTable, invariantTable, type PageTable, processTable } from './page-tables.js';
import type { RunResult, Timeline, ViolationReport } from './run-result.js';

/** What the page draws; the scripts in assets/ decide nothing but how. */
export interface PageData {
  readonly command: string;
  readonly verdict: RunResult['verdict'];
  readonly verdictText: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly replay: string;
  readonly violation: PageViolation | null;
  readonly kernel: string;
  readonly measures: readonly PageMeasure[];
  readonly causes: readonly { readonly cause: string; readonly items: number }[];
  /** Replayed operations at each sample: the abscissa of all charts. */
  readonly operations: readonly number[];
  readonly charts: readonly Chart[];
  readonly lanes: Lanes;
  readonly tables: readonly PageTable[];
  readonly counters: readonly { readonly title: string; readonly rows: readonly (readonly [string, number])[] }[];
}

export interface PageViolation {
  readonly kind: string;
  readonly message: string;
  readonly where: string;
  readonly stacks: readonly {
    readonly title: string;
    readonly status: string;
    readonly guilty: boolean;
    readonly frames: readonly string[];
  }[];
}

export interface PageMeasure {
  readonly title: string;
  readonly agreement: string;
  readonly level: 'good' | 'fair' | 'poor';
  readonly note: string;
}

export interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly {
    readonly label: string;
    readonly values: readonly (number | null)[];
    /** Drawn as a broad band, in the colour of the real kernel. */
    readonly real?: true;
  }[];
}

/** What ran on each CPU, small: task by its index, time as the gap since the slice before (virtual ns) and the length. */
export interface Lanes {
  readonly tasks: readonly string[];
  readonly cpus: readonly {
    readonly cpu: number;
    readonly task: readonly number[];
    readonly gap: readonly number[];
    readonly length: readonly number[];
  }[];
}

/** Address spaces that get a chart. */
const MOST_SPACES = 12;

export function pageData(result: RunResult): PageData {
  return {
    command: shellWords(result.recording.command),
    verdict: result.verdict,
    verdictText: VERDICT[result.verdict],
    facts: facts(result),
    replay: result.replay,
    violation: result.violation === null ? null : violation(result.violation),
    kernel: result.recording.kernel,
    measures: measures(result),
    causes: causes(result),
    operations: result.timeline.operations,
    charts: charts(result.timeline),
    lanes: lanes(result.timeline),
    tables: [processTable(result), fileTable(result), differenceTable(result), invariantTable(result)].filter(
      ({ rows }) => rows.length > 0,
    ),
    counters: counters(result),
  };
}

const VERDICT: Readonly<Record<RunResult['verdict'], string>> = {
  holds: 'holds: nothing was violated',
  violated: 'violated',
  bounded: 'bounded: stopped before the end, nothing wrong so far',
  interrupted: 'interrupted: nothing wrong so far',
};

function facts({ configuration: c, recording, ...run }: RunResult): (readonly [string, string])[] {
  const injected = Object.entries(c.inject).map(([kind, rate]) => `${kind} ${percent(rate)}`);
  const speed = run.accesses / Math.max(run.seconds, 1e-9) / 1e6;
  return [
    [
      'Replayed',
      `${count(run.operations)} of ${count(run.operationsTotal)} recorded operations of ${plural(recording.threads, 'thread')} in ${plural(recording.processes, 'process', 'processes')}`,
    ],
    [
      'Machine',
      `${plural(c.cpus, 'CPU')}, ${mebibytes(c.memoryPages)} of memory${c.swapPages > 0 ? `, ${mebibytes(c.swapPages)} of swap` : ''}, memory model ${c.model}, ${c.scheduler} scheduling, page cache ${c.generation}, reverse mapping ${c.rmap}${c.thp === undefined ? '' : `, huge pages ${c.thp}${c.thpTails === undefined ? '' : `, tails ${c.thpTails}`}`}${c.build === 'smp' ? '' : `, build ${c.build}`}, seed ${c.seed}`,
    ],
    ...(injected.length > 0 ? [['Injecting', injected.join(', ')] as const] : []),
    ...(c.without.length === 0 ? [] : [['Without', c.without.join(', ')] as const]),
    [
      'Executed',
      `${count(run.accesses)} shared accesses in ${run.seconds.toFixed(1)} s (${speed.toFixed(1)} M/s), ${milliseconds(run.time)} of virtual time`,
    ],
    ['Recording', recording.path],
  ];
}

function violation(v: ViolationReport): PageViolation {
  const guilty = v.stacks.find(({ cpu }) => cpu === v.cpu);
  const others = v.stacks.filter((stack) => stack !== guilty);
  return {
    kind: v.kind,
    message: v.message,
    where: `CPU ${v.cpu}, ${v.task}, at ${milliseconds(v.time)} of virtual time`,
    stacks: [...(guilty ? [guilty] : []), ...others].map((stack) => ({
      title: `${stack.cpu < 0 ? 'off CPU' : `CPU ${stack.cpu}`} · ${stack.task}`,
      status: stack.status ?? '',
      guilty: stack === guilty,
      frames: stack.frames,
    })),
  };
}

const measures = ({ comparison }: RunResult): PageMeasure[] =>
  comparison.measures.map((m) => ({
    title: m.title,
    agreement: percent(m.agreement),
    level: m.agreement >= 0.99 ? 'good' : m.agreement >= 0.9 ? 'fair' : 'poor',
    note: `${count(m.simulated)} simulated, ${count(m.real)} real; ${plural(m.items, 'item')}`,
  }));

function causes({ comparison }: RunResult): { cause: string; items: number }[] {
  const byCause = new Map<string, number>();
  for (const { cause } of comparison.differences) byCause.set(cause, (byCause.get(cause) ?? 0) + 1);
  return [...byCause].map(([cause, items]) => ({ cause, items })).sort((a, b) => b.items - a.items);
}

function charts(t: Timeline): Chart[] {
  if (t.operations.length === 0) return [];
  const peak = (values: readonly (number | null)[]): number => Math.max(0, ...values.map((value) => value ?? 0));
  const largest = t.spaces
    .filter(({ simulated, real }) => [...simulated, ...real].some((value) => value !== null))
    .sort((a, b) => peak(b.simulated) - peak(a.simulated))
    .slice(0, MOST_SPACES);
  return [
    {
      title: 'Memory in use',
      unit: 'pages',
      series: [
        { label: 'page cache', values: t.fileCache },
        { label: 'anonymous', values: t.anonymous },
      ],
    },
    { title: 'Free memory', unit: 'pages', series: [{ label: 'free', values: t.free }] },
    {
      title: 'Dirty memory',
      unit: 'pages',
      series: [
        { label: 'dirty', values: t.dirty },
        { label: 'under writeback', values: t.writeback },
      ],
    },
    {
      title: 'Page faults and RCU grace periods',
      unit: 'so far',
      series: [
        { label: 'page faults', values: t.faults },
        { label: 'grace periods', values: t.gracePeriods },
      ],
    },
    ...t.spaces
      .filter((space) => largest.includes(space))
      .map(({ label, simulated, real }) => ({
        title: `Resident pages of ${label}`,
        unit: 'pages',
        series: [
          { label: 'real kernel', values: real, real: true as const },
          { label: 'simulated', values: simulated },
        ],
      })),
  ];
}

function lanes({ cpus }: Timeline): Lanes {
  const tasks = [...new Set(cpus.flatMap(({ slices }) => slices.map(({ task }) => task)))];
  const indexOf = new Map(tasks.map((task, i) => [task, i]));
  return {
    tasks,
    cpus: cpus.map(({ cpu, slices }) => ({
      cpu,
      task: slices.map(({ task }) => indexOf.get(task) ?? 0),
      gap: slices.map(({ from }, i) => from - (i === 0 ? 0 : slices[i - 1].to)),
      length: slices.map(({ from, to }) => to - from),
    })),
  };
}

function counters({ memory: m, machine }: RunResult): PageData['counters'] {
  const { injected, newErrors, guest = {}, ...scalars } = machine;
  const groups: readonly (readonly [string, Readonly<Record<string, number>>])[] = [
    ['Page-cache lookups', m.lookups],
    ['Reclaim', { ...m.reclaim, lowestFree: m.lowestFree }],
    ['Swap', m.swap],
    ['RCU', m.rcu],
    ['Contents read back', m.contents],
    ['Pages at the end', m.zone],
    ['Machine', scalars],
    ['Guest', guest],
    ['Injected faults', injected],
    ['New errors', newErrors],
    ['Kernel events', m.events],
  ];
  return groups
    .map(([title, values]) => ({
      title,
      rows: Object.entries(values).map(([name, value]) => [words(name), value] as const),
    }))
    .filter(({ rows }) => rows.length > 0);
}
