// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import type { Burst } from './overlap.js';
import { type StartSubject, type Subject, type SubjectModule, type SubjectSource, Unavailable } from './subject.js';

/*
 * A thread that measures one subject. It says when the subject is ready, or why it cannot be, and then makes bursts as it is told.
 */

export interface ThreadData {
  readonly source: SubjectSource;
  /** Of process.hrtime(), from which times are counted. */
  readonly baseSeconds: number;
  /** For how long the subject is run before it is ready. */
  readonly warmUpNs: number;
}

/** A burst of at least so many ns. With others: none begins before `team` threads have arrived at the meeting point. */
export interface BurstOrder {
  readonly ns: number;
  readonly team: number;
  readonly meeting: Int32Array;
  /** Which of the meeting's words counts arrivals for this burst. */
  readonly turn: number;
}

export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'burst'; readonly burst: Burst }
  | { readonly kind: 'closed'; readonly counts: Readonly<Record<string, number>> };

export type ThreadOrder = { readonly kind: 'burst'; readonly order: BurstOrder } | { readonly kind: 'close' };

/** `native` with all that it imports in one module; the build makes it (scripts/bundle.mjs). */
const BUNDLED: string = '../subjects/bundled.js';

/** Each thread loads the one that it measures. */
const SUBJECTS: Readonly<Record<SubjectModule, () => Promise<object>>> = {
  access: () => import('../subjects/access.js'),
  arithmetic: () => import('../subjects/arithmetic.js'),
  bundled: () => import(BUNDLED),
  'by-hand': () => import('../subjects/by-hand.js'),
  'file-reader': () => import('../subjects/file-reader.js'),
  lmdb: () => import('../subjects/lmdb.js'),
  map: () => import('../subjects/map.js'),
  native: () => import('../subjects/native.js'),
  'object-buffer': () => import('../subjects/object-buffer.js'),
  'shared-map': () => import('../subjects/shared-map.js'),
  sharedmap: () => import('../subjects/sharedmap.js'),
  wasm: () => import('../subjects/wasm.js'),
  writer: () => import('../subjects/writer.js'),
};

const { source, baseSeconds, warmUpNs } = workerData as ThreadData;
const port = parentPort;
if (port === null) throw new Error('this is the code of a worker');
const send = (message: ThreadMessage): void => port.postMessage(message);

function now(): number {
  const [seconds, ns] = process.hrtime();
  return (seconds - baseSeconds) * 1e9 + ns;
}

/** About so long takes a chunk: long beside the time that it takes to look at the clock, short beside a time slice. */
const CHUNK_NS = 50_000;

/** The number of the next operation, so that keys go on where the last burst ended. */
let next = 0;
let chunk = 0;

/** Runs some operations, and does not believe that they were right. */
function perform(subject: Subject, n: number): void {
  const sum = subject.run(next, n);
  if (subject.expected !== undefined && sum !== subject.expected(next, n))
    throw new Error(`${source.module}: ${n} operations from ${next} on found other data than they should have`);
  next += n;
}

/** How many operations take about CHUNK_NS, at the best rate that was seen; makes the engine compile them on the way. */
function calibrate(subject: Subject): number {
  let n = 1;
  let best = Number.POSITIVE_INFINITY;
  for (const until = now() + warmUpNs; now() < until || best === Number.POSITIVE_INFINITY; ) {
    const start = now();
    perform(subject, n);
    best = Math.min(best, (now() - start) / n);
    n = Math.max(1, Math.ceil(Math.min(2 * n, CHUNK_NS / best)));
  }
  return n;
}

/** Begins when all of the team are there: within the same microsecond, if each has a CPU. */
function meet({ team, meeting, turn }: BurstOrder): void {
  Atomics.add(meeting, turn, 1);
  const until = now() + 50e6;
  while (Atomics.load(meeting, turn) < team && now() < until);
}

function burst(subject: Subject, order: BurstOrder): Burst {
  const times: number[] = [];
  const first = next;
  let sum = 0;
  if (order.team > 1) meet(order);
  let time = now();
  times.push(time);
  for (const end = time + order.ns; time < end; ) {
    sum = (sum + subject.run(next, chunk)) | 0;
    next += chunk;
    time = now();
    times.push(time);
  }
  if (subject.expected !== undefined && sum !== subject.expected(first, next - first))
    throw new Error(`${source.module}: a burst found other data than it should have`);
  return { times: Float64Array.from(times), chunk };
}

try {
  // The other module's shape is what subjects/ keep to; each has options of its own.
  const { start } = (await SUBJECTS[source.module]()) as { start: StartSubject<unknown> };
  const subject = await start(source.options);
  chunk = calibrate(subject);
  const before = subject.counts?.() ?? {};
  port.on('message', async (message: ThreadOrder) => {
    if (message.kind === 'burst') {
      send({ kind: 'burst', burst: burst(subject, message.order) });
      return;
    }
    const counts = Object.entries(subject.counts?.() ?? {}).map(([name, value]) => [name, value - (before[name] ?? 0)]);
    await subject.close?.();
    send({ kind: 'closed', counts: Object.fromEntries(counts) });
    port.close();
  });
  send({ kind: 'ready' });
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  send({ kind: 'unavailable', reason: error.message });
}
