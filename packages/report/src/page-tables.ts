// SPDX-License-Identifier: MIT
import type { FileResult, RunResult } from './run-result.js';

/** A number, a name, nothing, or a simulated and a real number. */
export type PageCell = number | string | null | readonly [number | null, number | null];

export interface PageTable {
  /** Anchor. */
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly PageCell[])[];
}

const PAIRS = 'One number where both agree; simulated / real where they differ.';

export function processTable({ processes }: RunResult): PageTable {
  const kinds = ['anonymous', 'file', 'cow', 'mkwrite', 'total'] as const;
  return {
    id: 'processes',
    title: 'Processes',
    note: `Of each address space: page faults by kind, then resident pages at exit and at most, then the exit code. ${PAIRS}`,
    columns: [
      'process',
      'anon',
      'file',
      'cow',
      'mkwrite',
      'all',
      'major',
      'anon at exit',
      'file at exit',
      'anon peak',
      'file peak',
      'exit',
    ],
    rows: processes.map((p) => [
      `${p.comm} ${p.pid}${p.born === 'fork' ? ' (fork)' : ''}`,
      ...kinds.map((kind) => [p.faults.simulated[kind], p.faults.real[kind]] as const),
      p.majorFaults,
      [p.rssAtExit.simulated?.anon ?? null, p.rssAtExit.real?.anon ?? null],
      [p.rssAtExit.simulated?.file ?? null, p.rssAtExit.real?.file ?? null],
      [p.rssPeak.simulated.anon, p.rssPeak.real.anon],
      [p.rssPeak.simulated.file, p.rssPeak.real.file],
      p.exit,
    ]),
  };
}

/** Files that take part, those with the most lookups first. What only the real kernel has (a block device's pages) is no file of the program. */
export function usedFiles(files: readonly FileResult[]): FileResult[] {
  return files
    .filter((f) => f.hits + f.misses + f.added.simulated > 0 || (f.kind === 'regular' && f.added.real > 0))
    .sort((a, b) => b.hits + b.misses - a.hits - a.misses);
}

export function fileTable({ files }: RunResult): PageTable {
  const used = usedFiles(files);
  const untouched = files.length - used.length;
  return {
    id: 'files',
    title: 'Files',
    note: `Pages in the page cache, and lookups. ${PAIRS}${untouched > 0 ? ` ${untouched} files that the program did not read, or that are no regular files, are left out.` : ''}`,
    columns: ['file', 'KiB', 'before', 'added', 'removed', 'hits', 'misses', 'at end'],
    rows: used.map((f) => [
      f.path || `(${f.kind}, inode ${f.inode})`,
      Math.ceil(f.sizeBytes / 1024),
      f.cachedBefore,
      [f.added.simulated, f.added.real],
      [f.removed.simulated, f.removed.real],
      f.hits,
      f.misses,
      f.cachedAtEnd,
    ]),
  };
}

export function differenceTable({ comparison }: RunResult): PageTable {
  return {
    id: 'differences',
    title: 'Differences',
    note: 'Every item that differs from the real kernel, with its cause as docs/differences.md documents it.',
    columns: ['item', 'measure', 'simulated', 'real', 'cause'],
    rows: comparison.differences.map((d) => [d.item, d.measure, d.simulated, d.real, d.cause]),
  };
}

export function invariantTable({ invariants }: RunResult): PageTable {
  return {
    id: 'invariants',
    title: 'Invariants',
    note: 'Checked while the machine ran and at its end.',
    columns: ['invariant', 'checked', 'violations'],
    rows: invariants.map((i) => [i.name, i.checked, i.violations]),
  };
}
