// SPDX-License-Identifier: MIT
import { readRecording } from '@lockless/recording';
import { simulate } from '@lockless/replay';

const recordings = new Map();

/** One run of the campaign: what is worth keeping of its result. */
export async function replayOne({ path, name, ...options }) {
  if (!recordings.has(path)) recordings.set(path, await readRecording(path));
  try {
    const result = await simulate(recordings.get(path), { path: name, ...options });
    const { verdict, violation, accesses, seconds, operations, operationsTotal, memory: used, machine } = result;
    return {
      verdict,
      kind: violation?.kind ?? null,
      message: violation?.message ?? null,
      replay: result.replay,
      accesses,
      seconds,
      operations,
      operationsTotal,
      wrong: used.contents.wrong,
      scanned: used.reclaim.scanned,
      reclaimed: used.reclaim.reclaimed,
      swap: used.swap,
      injected: machine.injected,
      newErrors: machine.newErrors,
      agreement: Object.fromEntries(result.comparison.measures.map((m) => [m.name, m.agreement])),
    };
  } catch (error) {
    return { verdict: 'error', kind: error.name, message: String(error.stack), replay: null };
  }
}
