// SPDX-License-Identifier: MIT
import { type KernelBug, omitGuards } from '@lockless/cpu';
import { interleavings } from './interleavings.js';
import type { Program } from './program.js';
import type { CheckOptions, CheckResult } from './result.js';

/** Checks every execution of a program. PROVISIONAL: interleavings with at most three preemptions under SC, until the explorer is here. */
export async function check<S>(program: Program<S>, options: CheckOptions = {}): Promise<CheckResult> {
  const without = options.without ?? [];
  const booted: Program = {
    ...(program as unknown as Program),
    setup: function* () {
      omitGuards(without);
      return yield* program.setup();
    },
  };
  const start = performance.now();
  const reached: Record<string, number> = {};
  let executions = 0;
  let blocked = 0;
  let events = 0;
  const base = { scenario: program.name, model: options.model ?? 'sc', without } as const;
  const rest = () => ({
    executions,
    blocked,
    events,
    threads: Object.keys(program.threads).length,
    seconds: (performance.now() - start) / 1000,
    reached,
    sites: [],
    guards: [],
  });
  for (const run of interleavings(booted, { preemptions: 3 })) {
    events = Math.max(events, run.schedule.length);
    for (const label of run.labels) reached[label] = (reached[label] ?? 0) + 1;
    if (run.end === 'complete') executions++;
    else blocked++;
    const violation = (kind: string, message: string) => ({
      ...base,
      verdict: 'violated' as const,
      bound: null,
      ...rest(),
      violation: { kind, at: '', message, trace: [], forbidden: null, replay: run.schedule.join('') },
    });
    if (run.end === 'bug') {
      const bug = run.bug as KernelBug;
      return violation(bug.kind, bug.message);
    }
    if (run.end === 'deadlock') return violation('deadlock', 'every thread waits');
    if (run.end === 'steps') return violation('livelock', 'a thread retries for ever');
  }
  return { ...base, verdict: 'bounded', bound: '3 preemptions', ...rest() };
}
