// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { bootUrcu } from '@lockless/rcu/native';
import { pinThread } from './affinity.js';
import type { Cases } from './cases.js';
import { LitmusCases } from './litmus-cases.js';
import { primitivesOf } from './primitives.js';
import type { Answer, Job, ThreadData } from './protocol.js';
import { Abandoned, Control, Rendezvous, THREADS } from './rendezvous.js';
import { runCases } from './run-cases.js';
import { FREE_WORDS, installThreadEngine } from './thread-engine.js';

/* What a thread of a crew does: its part of each job. */

const data = workerData as ThreadData;
const { thread, control: shared, words: buffer, out } = data;
const control = new Control(shared);
const answer = (message: Answer): void => parentPort?.postMessage(message);

async function casesOf(job: Job): Promise<Cases> {
  if (job.kind === 'litmus') {
    const words = installThreadEngine(buffer, thread);
    if (thread === 0) bootUrcu(THREADS);
    return new LitmusCases(job.code, words, FREE_WORDS, out, primitivesOf(job.table, job.weakened));
  }
  const { ScenarioCases } = await import('./scenario-cases.js');
  const cases = new ScenarioCases(job.name, job.seed, data);
  if (thread === 0) cases.boot();
  return cases;
}

async function run(job: Job): Promise<Answer> {
  const cases = await casesOf(job);
  pinThread(thread, cases.threads);
  new Rendezvous(control, thread, cases.threads).barrier();
  control.begin();
  runCases(cases, thread, control, job, ({ batch, tally, meetings, met }) => {
    const seen = [...tally.seen].map(([key, { count, first }]) => ({ outcome: cases.describe(key), count, first }));
    answer({ kind: 'counted', batch, seen, givenUp: tally.givenUp, meetings, met });
  });
  return { kind: 'done' };
}

parentPort?.on('message', (job: Job) => {
  run(job).then(answer, (error: unknown) => {
    control.fail();
    const message = error instanceof Error && !(error instanceof Abandoned) ? (error.stack ?? '') : '';
    answer({ kind: 'failed', message });
  });
});
answer({ kind: 'ready' });
