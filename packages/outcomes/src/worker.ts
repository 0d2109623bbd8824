// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { bootUrcu } from '@lockless/rcu/native';
import { LitmusCases } from './litmus-cases.js';
import { primitivesOf } from './primitives.js';
import type { Answer, Job, ThreadData } from './protocol.js';
import { Abandoned, Control } from './rendezvous.js';
import { runCases } from './run-cases.js';
import { FREE_WORDS, installThreadEngine, THREADS } from './thread-engine.js';

/* One thread of a crew: runs its part of each job. */

const { thread, control: shared, words: buffer, out } = workerData as ThreadData;
const control = new Control(shared);
const words = installThreadEngine(buffer, thread);
if (thread === 0) bootUrcu(THREADS);
const answer = (message: Answer): void => parentPort?.postMessage(message);

function run({ code, table, weakened, seed, batches }: Job): Answer {
  const primitives = primitivesOf(table, weakened);
  const cases = new LitmusCases(code, words, FREE_WORDS, out, primitives);
  const tally = runCases(cases, thread, control, { seed, batches });
  const seen = [...tally.seen].map(([key, count]): [string, number] => [cases.describe(key), count]);
  return { kind: 'done', seen, givenUp: tally.givenUp };
}

parentPort?.on('message', (job: Job) => {
  try {
    answer(run(job));
  } catch (error) {
    control.fail();
    const message = error instanceof Error && !(error instanceof Abandoned) ? (error.stack ?? '') : '';
    answer({ kind: 'failed', message });
  }
});
answer({ kind: 'ready' });
