// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/*
 * Threads that wake each other again and again are put on one processor by Linux's scheduler, where they take turns and never meet. So each gets a processor
 * of its own, as in litmus7. Node.js has no call for that; taskset of util-linux does it. Where there is none, threads run where they run.
 */

/** Processors on which this process may run. */
let allowed: readonly number[] | null = null;
/** Those on which this thread may run, as taskset was told. */
let pinned = '';

/** Gives this thread the processor of its number; all of them, when there are more threads than processors. Best effort. */
export function pinThread(thread: number, threads: number): void {
  if (process.platform !== 'linux') return;
  try {
    allowed ??= allowedProcessors();
    const wanted = threads > allowed.length ? allowed.join(',') : String(allowed[thread]);
    if (wanted === pinned || allowed.length < 2) return;
    const [task] = readlinkSync('/proc/thread-self').split('/').slice(-1);
    execFileSync('taskset', ['-cp', wanted, task], { stdio: 'ignore' });
    pinned = wanted;
  } catch {
    // No taskset, no /proc, or not permitted.
    allowed = [];
  }
}

/** "0-2,5", as /proc says it. */
function allowedProcessors(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}
