// SPDX-License-Identifier: MIT
import { styleText } from 'node:util';
import type { FaultCounts, RunResult } from './run-result.js';

export interface TextOptions {
  /** Use colour and weight. Default false. */
  readonly color?: boolean;
  /** Columns of the terminal; default 120. */
  readonly width?: number;
}

type Color = 'green' | 'red' | 'yellow';
type Style = Parameters<typeof styleText>[0];
type Cell = string | number;

/** The run for a terminal: verdict first, then agreement with the real kernel, processes, files, memory, machine. Ends with a newline. */
export function renderSummary(result: RunResult, options: TextOptions = {}): string {
  const paint = (style: Style, text: string): string =>
    options.color ? styleText(style, text, { validateStream: false }) : text;
  const width = options.width ?? 120;
  const sections = [
    [headline(result, paint)],
    violation(result, paint),
    agreementTable(result, paint),
    differences(result),
    processTable(result, paint, width),
    fileTable(result, paint, width),
    memory(result),
    machine(result),
    invariants(result, paint),
    [`repeat: ${result.replay}`],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

type Paint = (style: Style, text: string) => string;

const count = (n: number): string => n.toLocaleString('en-US');
const percent = (share: number): string => (share >= 0.9995 && share < 1 ? '99.9 %' : `${(share * 100).toFixed(1)} %`);
const mib = (pages: number): string => `${count(Math.round(pages / 25.6) / 10)} MiB`;

const VERDICT: Readonly<Record<RunResult['verdict'], readonly [Color, string]>> = {
  holds: ['green', 'holds'],
  violated: ['red', 'VIOLATED'],
  bounded: ['yellow', 'bounded (stopped before the end, nothing wrong so far)'],
  interrupted: ['yellow', 'interrupted (nothing wrong so far)'],
};

function headline(result: RunResult, paint: Paint): string {
  const { configuration: c, recording } = result;
  const [style, text] = VERDICT[result.verdict];
  const planted = c.plant === null ? '' : `, planted bug ${c.plant}`;
  const injected = Object.entries(c.inject).map(([kind, rate]) => `, ${kind} ${percent(rate)}`);
  return [
    `${paint(['bold', style], text)}  ${paint('bold', recording.command.join(' '))}`,
    `${count(result.operations)} of ${count(result.operationsTotal)} recorded operations of ${recording.threads} threads in ${recording.processes} processes, replayed on ${c.cpus} CPUs`,
    `${mib(c.memoryPages)} of memory, model ${c.model}, ${c.generation}, ${c.scheduler} scheduling, seed ${c.seed}${planted}${injected.join('')}`,
    `${count(result.accesses)} shared accesses in ${result.seconds.toFixed(1)} s (${(result.accesses / Math.max(result.seconds, 1e-9) / 1e6).toFixed(1)} M/s), ${(result.time / 1e6).toFixed(1)} ms of virtual time`,
  ].join('\n');
}

function violation(result: RunResult, paint: Paint): string[] {
  const { violation: v } = result;
  if (v === null) return [];
  const lines = [
    paint(['bold', 'red'], `violated: ${v.kind}`),
    `  ${v.message}`,
    `  on CPU ${v.cpu} in ${v.task}, at ${(v.time / 1e6).toFixed(3)} ms`,
  ];
  for (const stack of v.stacks) {
    lines.push(`  CPU ${stack.cpu}  ${stack.task}`);
    for (const frame of stack.frames.slice(0, 12)) lines.push(`    ${frame}`);
  }
  return lines;
}

function agreementTable({ comparison, recording }: RunResult, paint: Paint): string[] {
  const rows = comparison.measures.map(
    (m) => [m.title, count(m.simulated), count(m.real), percent(m.agreement), m.items] as Cell[],
  );
  return [
    paint('bold', `Against the real kernel (${recording.kernel})`),
    ...table(['', 'simulated', 'real', 'agreement', 'items'], rows),
  ];
}

function differences({ comparison }: RunResult): string[] {
  const byCause = new Map<string, number>();
  for (const d of comparison.differences) byCause.set(d.cause, (byCause.get(d.cause) ?? 0) + 1);
  if (byCause.size === 0) return ['no item differs'];
  const causes = [...byCause].sort((a, b) => b[1] - a[1]).map(([cause, items]) => `${cause} ${items}`);
  return [`items that differ, by cause (docs/differences.md): ${causes.join(', ')}`];
}

const pair = (simulated: number | undefined, real: number | undefined): string => `${simulated ?? '-'}/${real ?? '-'}`;
const faultPair = (p: { simulated: FaultCounts; real: FaultCounts }, kind: keyof FaultCounts): string =>
  pair(p.simulated[kind], p.real[kind]);

function processTable({ processes }: RunResult, paint: Paint, width: number): string[] {
  const rows = processes.map((p) => [
    shorten(`${p.comm} ${p.pid}${p.born === 'fork' ? ' (fork)' : ''}`, Math.max(16, width - 92)),
    faultPair(p.faults, 'anonymous'),
    faultPair(p.faults, 'file'),
    faultPair(p.faults, 'cow'),
    faultPair(p.faults, 'mkwrite'),
    p.majorFaults,
    pair(p.rssAtExit.simulated?.file, p.rssAtExit.real?.file),
    pair(p.rssAtExit.simulated?.anon, p.rssAtExit.real?.anon),
    p.exit ?? '-',
  ]);
  const head = ['address space', 'anonymous', 'file', 'cow', 'mkwrite', 'major', 'rss file', 'rss anon', 'exit'];
  return [
    paint('bold', 'Processes: page faults by kind, resident pages at exit (simulated/real)'),
    ...table(head, rows),
  ];
}

function fileTable({ files }: RunResult, paint: Paint, width: number): string[] {
  const shown = files
    .filter((f) => f.hits + f.misses + f.added.simulated + f.added.real > 0)
    .sort((a, b) => b.hits + b.misses - a.hits - a.misses)
    .slice(0, 12);
  const rows = shown.map((f) => [
    shorten(f.path || `(${f.kind} ${f.inode})`, Math.max(24, width - 62)),
    f.cachedBefore,
    pair(f.added.simulated, f.added.real),
    f.hits,
    f.misses,
    f.cachedAtEnd,
  ]);
  const more = files.length > shown.length ? [`and ${files.length - shown.length} more files`] : [];
  return [
    paint('bold', 'Files: pages in the page cache'),
    ...table(['file', 'before', 'added', 'hits', 'misses', 'at end'], rows),
    ...more,
  ];
}

function memory({ memory: m }: RunResult): string[] {
  const zone = Object.entries(m.zone).map(([name, pages]) => `${name} ${count(pages)}`);
  return [
    `lookups    ${count(m.lookups.total)}, hits ${count(m.lookups.hits)}, misses ${count(m.lookups.misses)}, retries of the speculative get ${count(m.lookups.speculativeRetries)}`,
    `reclaim    ${count(m.reclaim.scanned)} pages scanned, ${count(m.reclaim.reclaimed)} reclaimed, kswapd woken ${count(m.reclaim.kswapdWakeups)} times, direct ${count(m.reclaim.directReclaims)} times; lowest free ${count(m.lowestFree)} pages`,
    `rcu        ${count(m.rcu.gracePeriods)} grace periods, ${count(m.rcu.callbacks)} callbacks`,
    `contents   ${count(m.contents.fileReads)} file pages and ${count(m.contents.anonymousReads)} anonymous pages read back, ${count(m.contents.wrong)} wrong`,
    `memory     ${zone.join(', ')}`,
  ];
}

function machine({ machine: m }: RunResult): string[] {
  const lines = [
    `machine    ${count(m.contextSwitches)} context switches, ${count(m.interrupts)} interrupts, ${count(m.lockContentions)} contended locks, ${count(m.staleLoads)} stale loads, ${count(m.bufferedStores)} buffered stores`,
    `disk       ${count(m.diskReads)} pages read, ${count(m.diskWrites)} written`,
  ];
  const list = (title: string, counts: Readonly<Record<string, number>>): void => {
    const entries = Object.entries(counts);
    if (entries.length > 0)
      lines.push(`${title.padEnd(10)} ${entries.map(([name, n]) => `${name} ${count(n)}`).join(', ')}`);
  };
  list('injected', m.injected);
  list('new errors', m.newErrors);
  return lines;
}

function invariants({ invariants: all }: RunResult, paint: Paint): string[] {
  const broken = all.filter((i) => i.violations > 0);
  const checks = all.reduce((sum, i) => sum + i.checked, 0);
  const lines = [
    `invariants ${all.length} invariants checked ${count(checks)} times, ${broken.length === 0 ? 'none violated' : paint('red', `${broken.length} violated`)}`,
  ];
  for (const { name, checked, violations } of broken)
    lines.push(`  ${name}: ${count(violations)} of ${count(checked)}`);
  return lines;
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}

/** First column to the left, the others to the right, two spaces between. */
function table(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string[] {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => row[column].length)));
  return lines.map((row) =>
    `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ')}`.trimEnd(),
  );
}
