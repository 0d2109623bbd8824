// SPDX-License-Identifier: MIT
import { check } from './check.js';
import type { Program } from './program.js';
import type { CheckOptions, CheckResult } from './result.js';

/** Something that a program may or may not need: an ordering site or a guard. */
export interface Necessity {
  readonly name: string;
  readonly type: 'ordering' | 'guard';
  /** The kernel's name of the primitive; of a guard nothing. */
  readonly primitive: string;
  /** `file.ts:line`; of a guard nothing. */
  readonly location: string;
  /** What takes its place: `nothing`, `READ_ONCE`; of a guard what the code does without it. */
  readonly weaker: string;
  /** The check without it: violated, when it carries the proof. */
  readonly result: CheckResult;
}

/**
 * Checks a program with everything in place, and, if that holds, once without each ordering site and each guard that takes part: which of
 * them carry the proof. Yields the whole first, then what was left out in the order of the source.
 */
export async function* necessity<S>(
  program: Program<S>,
  options: Omit<CheckOptions, 'without' | 'replay' | 'all' | 'resume'> = {},
): AsyncGenerator<{ readonly whole: CheckResult } | Necessity, void> {
  const whole = await check(program, options);
  yield { whole };
  if (whole.verdict === 'violated' || options.signal?.aborted) return;
  const parts = [
    ...whole.sites.map((site) => ({ ...site, type: 'ordering' as const })),
    ...whole.guards.map(({ name, without }) => ({
      name,
      type: 'guard' as const,
      primitive: '',
      location: '',
      weaker: without,
    })),
  ];
  for (const part of parts) {
    const result = await check(program, { ...options, without: [part.name] });
    yield { ...part, result };
    if (options.signal?.aborted) return;
  }
}
