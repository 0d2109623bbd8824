// SPDX-License-Identifier: MIT
import type { Column, Layout } from './layout.js';
import { count, percent, plural } from './numbers.js';
import { usedFiles } from './page-tables.js';
import type { Comparison, Difference, FileResult, ProcessResult, RunResult } from './run-result.js';

/** Rows of a table of processes or files; the JSON and the page have all. */
const MOST_ROWS = 16;
/** Items without a documented cause that are named. */
const MOST_UNEXPLAINED = 8;

/** Agreement with the real kernel, measure by measure, then the causes of what differs. */
export function agreement({ comparison, recording }: RunResult, layout: Layout): string[] {
  const columns: Column[] = [
    { head: '', cut: 'end' },
    { head: 'simulated' },
    { head: 'real' },
    { head: 'agreement' },
    { head: 'items', optional: true },
  ];
  const rows = comparison.measures.map((m) => [
    m.title,
    count(m.simulated),
    count(m.real),
    layout.paint(m.agreement >= 0.99 ? 'green' : m.agreement >= 0.9 ? 'yellow' : 'red', percent(m.agreement)),
    count(m.items),
  ]);
  return [
    ...layout.title(`Against the real kernel, Linux ${recording.kernel}`),
    ...(rows.length > 0 ? layout.table(columns, rows) : ['  nothing was compared']),
    ...differences(comparison, layout),
  ];
}

function differences({ differences: all, measures }: Comparison, layout: Layout): string[] {
  if (all.length === 0) return measures.length > 0 ? ['  no item differs'] : [];
  const byCause = new Map<string, Difference[]>();
  for (const d of all) byCause.set(d.cause, [...(byCause.get(d.cause) ?? []), d]);
  const causes = [...byCause].sort((a, b) => b[1].length - a[1].length);
  const listed = causes.map(([cause, items]) => {
    const text = `${cause} ${count(items.length)}`;
    return cause === 'unexplained' ? layout.paint(['bold', 'red'], text) : text;
  });
  const unexplained = byCause.get('unexplained') ?? [];
  const rows = unexplained
    .slice(0, MOST_UNEXPLAINED)
    .map((d) => [`${d.measure}: ${d.item}`, count(d.simulated), count(d.real)]);
  return [
    ...layout.wrap(
      `${plural(all.length, 'item differs', 'items differ')}, by cause (docs/differences.md): ${listed.join(', ')}`,
    ),
    ...(rows.length > 0
      ? ['', ...layout.table([{ head: 'unexplained' }, { head: 'simulated' }, { head: 'real' }], rows)]
      : []),
    ...(unexplained.length > rows.length ? [`  and ${plural(unexplained.length - rows.length, 'more item')}`] : []),
  ];
}

/** Page faults by kind and resident pages at exit. Under each row what the real kernel had, where it differs. */
export function processTable({ processes }: RunResult, layout: Layout): string[] {
  if (processes.length === 0) return [];
  const faults = { group: 'page faults' } as const;
  const resident = { group: 'resident at exit' } as const;
  const columns: Column[] = [
    { head: 'process' },
    { head: 'anon', ...faults },
    { head: 'file', ...faults },
    { head: 'cow', ...faults },
    { head: 'mkwrite', optional: true, ...faults },
    { head: 'major', optional: true, ...faults },
    { head: 'anon', ...resident },
    { head: 'file', ...resident },
    { head: 'exit' },
  ];
  const busiest = [...processes]
    .sort((a, b) => b.faults.simulated.total - a.faults.simulated.total)
    .slice(0, MOST_ROWS);
  const shown = processes.filter((p) => busiest.includes(p));
  const rows = shown.flatMap((p) => processRows(p, layout));
  const rest = processes.length - shown.length;
  return [
    ...layout.title('Processes (second line: the real kernel, where it differs)'),
    ...layout.table(columns, rows),
    ...(rest > 0 ? [`  and ${plural(rest, 'more address space')} with fewer faults`] : []),
  ];
}

function processRows(p: ProcessResult, layout: Layout): string[][] {
  const numbers = ({ faults: f, rss }: { faults: typeof p.faults.real; rss: typeof p.rssAtExit.real }) => [
    count(f.anonymous),
    count(f.file),
    count(f.cow),
    count(f.mkwrite),
    '',
    rss ? count(rss.anon) : '-',
    rss ? count(rss.file) : '-',
  ];
  const simulated = numbers({ faults: p.faults.simulated, rss: p.rssAtExit.simulated });
  const real = numbers({ faults: p.faults.real, rss: p.rssAtExit.real });
  const differs = real.map((n, i) => (n === simulated[i] ? '' : layout.paint('yellow', n)));
  simulated[4] = count(p.majorFaults);
  const name = `${p.comm} ${p.pid}${p.born === 'fork' ? ' (fork)' : ''}`;
  const row = [name, ...simulated, p.exit === null ? '-' : String(p.exit)];
  return differs.some((n) => n !== '') ? [row, [layout.paint('dim', '  real'), ...differs, '']] : [row];
}

/** The files with the most lookups. */
export function fileTable({ files }: RunResult, layout: Layout): string[] {
  const busy = usedFiles(files);
  if (busy.length === 0) return [];
  const columns: Column[] = [
    { head: 'file' },
    { head: 'before' },
    { head: 'added' },
    { head: 'real' },
    { head: 'removed', optional: true },
    { head: 'hits' },
    { head: 'misses' },
    { head: 'at end' },
  ];
  const rows = busy
    .slice(0, MOST_ROWS)
    .map((f) => [
      nameOf(f),
      count(f.cachedBefore),
      count(f.added.simulated),
      f.added.simulated === f.added.real ? count(f.added.real) : layout.paint('yellow', count(f.added.real)),
      count(f.removed.simulated),
      count(f.hits),
      count(f.misses),
      count(f.cachedAtEnd),
    ]);
  const rest = busy.slice(MOST_ROWS);
  const sum = (pick: (f: FileResult) => number): string => count(rest.reduce((n, f) => n + pick(f), 0));
  return [
    ...layout.title('Files (pages in the page cache; added: simulated, real)'),
    ...layout.table(columns, rows),
    ...(rest.length > 0
      ? layout.wrap(
          `and ${plural(rest.length, 'more file')}: ${sum((f) => f.added.simulated)} pages added (${sum((f) => f.added.real)} real), ${sum((f) => f.hits)} hits, ${sum((f) => f.misses)} misses`,
        )
      : []),
  ];
}

const nameOf = (f: FileResult): string => f.path || `(${f.kind}, inode ${f.inode})`;
