// SPDX-License-Identifier: GPL-2.0-only
import { parseLitmus } from '@lockless/litmus';
import type { RunOptions } from './crew.js';
import type { NativeLitmus } from './native-litmus.js';

/** Store buffering: the reordering that every processor of today shows, where the threads meet. */
const STORE_BUFFERING = parseLitmus(
  `C store-buffering
{}
P0(int *x, int *y) { WRITE_ONCE(*x, 1); r0 = READ_ONCE(*y); }
P1(int *x, int *y) { WRITE_ONCE(*y, 1); r0 = READ_ONCE(*x); }
exists (0:r0=0 /\\ 1:r0=0)`,
  'store-buffering',
);

/** Whether machine and engine reorder at all while we look: if they do not, that nothing forbidden was seen proves little. */
export interface Calibration {
  readonly instances: number;
  /** Instances of store buffering with plain accesses in which both loads missed the other thread's store. */
  readonly reordered: number;
}

/** A step: long enough for some hundred batches. */
const STEP = 0.25;

/** Looks until reordering was seen, `seconds` at most. */
export async function calibrate(
  litmus: NativeLitmus,
  { seconds = 10, signal }: Pick<RunOptions, 'seconds' | 'signal'> = {},
): Promise<Calibration> {
  const started = performance.now();
  let instances = 0;
  let reordered = 0;
  for (let seed = 1; reordered === 0 && !signal?.aborted; seed++) {
    const options = { table: 'plain', seed, seconds: STEP, ...(signal === undefined ? {} : { signal }) } as const;
    const outcome = await litmus.run(STORE_BUFFERING, options);
    instances += outcome.instances;
    for (const { satisfies, count } of outcome.rows) if (satisfies) reordered += count;
    if ((performance.now() - started) / 1000 >= seconds) break;
  }
  return { instances, reordered };
}

/** One line about it. */
export function calibrationLine({ instances, reordered }: Calibration): string {
  const of = `in ${reordered.toLocaleString('en-US')} of ${instances.toLocaleString('en-US')} instances`;
  return reordered > 0
    ? `machine and engine reorder: store buffering with plain accesses was seen ${of}`
    : `this proves little: store buffering with plain accesses was seen ${of}, so the threads hardly met`;
}
