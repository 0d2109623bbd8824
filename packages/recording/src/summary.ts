// SPDX-License-Identifier: MIT
import type { Recording } from './format.js';

/** A recording in figures. */
export interface RecordingTotals {
  records: number;
  /** System calls that have a record. */
  calls: number;
  /** Page faults in user mode, and of the kernel on user memory. */
  userFaults: number;
  kernelFaults: number;
  /** Pages that entered and left the page cache. */
  pagesAdded: number;
  pagesRemoved: number;
  /** Pages of the files that were in the cache before the program started. */
  pagesCachedBefore: number;
  processes: number;
  threads: number;
}

const NOT_CALLS: ReadonlySet<string> = new Set([
  'exit',
  'close',
  'touch',
  'added',
  'removed',
  'rss',
  'map-around',
  'file-fault',
]);

/** Counts what is in a recording. */
export function recordingTotals({ header, files, records }: Recording): RecordingTotals {
  const totals = { calls: 0, userFaults: 0, kernelFaults: 0, pagesAdded: 0, pagesRemoved: 0 };
  for (const record of records) {
    if (!NOT_CALLS.has(record.kind)) totals.calls++;
    if (record.kind === 'touch') totals[record.kernel ? 'kernelFaults' : 'userFaults']++;
    if (record.kind === 'added') totals.pagesAdded += record.pages;
    if (record.kind === 'removed') totals.pagesRemoved += record.pages;
  }
  return {
    records: records.length,
    ...totals,
    pagesCachedBefore: files.reduce(
      (sum, file) => file.cached.reduce((n, [first, last]) => n + last - first + 1, sum),
      0,
    ),
    processes: new Set(header.threads.map((thread) => thread.pid)).size,
    threads: header.threads.length,
  };
}
