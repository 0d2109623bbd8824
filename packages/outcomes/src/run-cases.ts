// SPDX-License-Identifier: GPL-2.0-only
import { availableParallelism } from 'node:os';
import type { Cases } from './cases.js';
import { share, Tally } from './cases.js';
import { Random } from './random.js';
import type { Control } from './rendezvous.js';
import { Rendezvous } from './rendezvous.js';

/** Ways to get together that a batch chooses from: often or seldom, and then at once or apart. See Rendezvous.meeting(). */
const EVERY = [1, 1, 8, 64, 1024] as const;
/** Of more threads than processors: each meeting is a switch from one to another. */
const SELDOM = [64, 256, 1024] as const;
const DELAYS = [1, 1, 4, 16, 64, 256] as const;

/** One thread's part of a run: batches, until somebody asks for the end or there were enough. It tells of its share of each. */
export function runCases(
  cases: Cases,
  thread: number,
  control: Control,
  { seed, batches }: { readonly seed: number; readonly batches: number },
  tell: (batch: number, tally: Tally) => void,
): void {
  const { instances, threads } = cases;
  const random = new Random(seed);
  const rendezvous = new Rendezvous(control, thread, threads);
  const [from, to] = share(instances, thread, threads);
  for (let batch = 1; ; batch++) {
    const tally = new Tally();
    cases.draw(random);
    const every = random.pick(threads > availableParallelism() ? SELDOM : EVERY);
    const delay = random.pick(DELAYS);
    const own = random.below(2 ** 30) + thread * 7919;
    cases.prepare(from, to);
    rendezvous.clear(from, to);
    const meet = rendezvous.meeting(every, delay, own);
    rendezvous.barrier();
    cases.run(thread, meet);
    rendezvous.back();
    const more = rendezvous.goesOn(batch < batches);
    cases.count(from, to, tally);
    tell(batch, tally);
    if (thread === 0) control.countBatch();
    if (!more) return;
  }
}
