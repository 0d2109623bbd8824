// SPDX-License-Identifier: GPL-2.0-only
import { availableParallelism } from 'node:os';
import type { Cases } from './cases.js';
import { Tally } from './cases.js';
import { Random } from './random.js';
import type { Control } from './rendezvous.js';
import { Rendezvous } from './rendezvous.js';

/** How often the threads of a batch meet, chosen from. */
const EVERY = [1, 1, 1, 8, 64, 1024] as const;
/** Of more threads than processors: each meeting may be a switch from one to another. */
const SELDOM = [1, 64, 256, 1024] as const;
/** Milliseconds between two times that the threads tell what they have seen. */
const TELLING = 50;

/** What a thread tells of its share of some batches, the last of which is `batch`. */
export interface Told {
  readonly batch: number;
  readonly tally: Tally;
  readonly meetings: number;
  readonly met: number;
}

/** One thread's part of a run: batches, until somebody asks for the end or there were enough. */
export function runCases(
  cases: Cases,
  thread: number,
  control: Control,
  { seed, batches }: { readonly seed: number; readonly batches: number },
  tell: (told: Told) => void,
): void {
  const { threads } = cases;
  const random = new Random(seed);
  const rendezvous = new Rendezvous(control, thread, threads);
  let tally = new Tally();
  let told = Number.NEGATIVE_INFINITY;
  for (let batch = 1; ; batch++) {
    cases.draw(random);
    const every = random.pick(threads > availableParallelism() ? SELDOM : EVERY);
    const delay = random.pick(cases.delays);
    const meet = rendezvous.meeting({ every, delay, seed: random.below(2 ** 30) + thread * 7919 });
    cases.prepare(thread);
    rendezvous.before();
    rendezvous.barrier();
    rendezvous.gather();
    cases.run(thread, meet);
    rendezvous.back();
    const now = performance.now();
    const decision = rendezvous.decide(batch >= batches ? 'end' : now - told < TELLING ? 'go on' : 'go on, and tell');
    tally.batch = batch;
    cases.count(thread, tally);
    if (decision !== 'go on') {
      tell({ batch, tally, ...rendezvous.takeMeetings() });
      told = now;
      tally = new Tally();
    }
    if (thread === 0) control.countBatch();
    if (decision === 'end') return;
  }
}
