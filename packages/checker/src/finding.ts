// SPDX-License-Identifier: MIT
import { KernelBug } from '@lockless/cpu';
import type { Finding } from './counterexample.js';
import { CheckError } from './errors.js';
import type { AccessSite, ExplorationError } from './explore/execution.js';
import type { Explorer } from './explore/explorer.js';
import { MOST_ROUNDS } from './explore/loops.js';
import type { Snapshot, SnapshotBlocked, SnapshotEvent } from './snapshot.js';
import { isWrapper, withoutWrappers } from './wrappers.js';

/** The kernel function that an access belongs to, for people. */
export const kernelFunction = (site: AccessSite | null): string => withoutWrappers(site?.frames ?? [])[0]?.name ?? '';

/** The heap and what asks it, in a line of a stack. */
const ENGINE = /[\\/](?:heap|thread-engine|machine)\.[jt]s:/;

/** The function in which kernel-side code threw, by its JavaScript stack; empty when it was an access that threw. */
function throwingFunction(cause: unknown): string {
  const lines = (cause instanceof Error ? (cause.stack ?? '') : '').split('\n');
  for (const line of lines) {
    const name = /^\s*at (?:async )?(?:\S+\.)?([\w$]+) \(/.exec(line)?.[1];
    if (name === undefined || isWrapper(name)) continue;
    // An access that the engine refuses is wrong where it was made.
    if (name === 'next' || ENGINE.test(line)) return '';
    return name;
  }
  return '';
}

const firstLine = (text: string): string => text.split('\n', 1)[0];

/** Kind and message of what was thrown: a KernelBug, a test library's failed assertion, or anything else, which is a bug of the program too. */
export function describeThrown(cause: unknown): { kind: string; message: string } {
  if (cause instanceof KernelBug) return { kind: cause.kind, message: cause.message };
  if (!(cause instanceof Error)) return { kind: 'exception', message: `${String(cause)} was thrown` };
  if (cause.name === 'AssertionError') return { kind: 'assertion', message: firstLine(cause.message) };
  return { kind: 'exception', message: `${cause.name}: ${firstLine(cause.message)}` };
}

/** What the explorer, or the code, found wrong in a thread. Throws CheckError when the program asks for what cannot be checked. */
export function errorFinding(error: ExplorationError, snapshot: Snapshot): Finding {
  const { thread, site, cause } = error;
  if (error.kind === 'unsupported')
    throw new CheckError('malformed', `${snapshot.threads[thread].name}: ${error.message}`, { cause });
  const thrown = cause === undefined || cause === null ? error : describeThrown(cause);
  const clash = error.events.map((i) => snapshot.events[i]);
  const told = {
    kind: thrown.kind,
    message: thrown.message,
    at: throwingFunction(cause) || kernelFunction(site),
    snapshot,
  };
  const [first, second] = clash;
  // Two events that clash: the access that must not be, and what it clashes with.
  if (second !== undefined)
    return {
      ...told,
      at: kernelFunction(first.site),
      keys: clash,
      last: { thread: first.thread, site: first.site, event: first },
    };
  const last = snapshot.threads[thread].events.at(-1);
  return { ...told, keys: last === undefined ? [] : [last], last: { thread, site, event: null } };
}

/** What `finally` threw. */
export function outcomeFinding(cause: unknown, snapshot: Snapshot): Finding {
  return { ...describeThrown(cause), at: 'finally', snapshot, keys: [], last: null };
}

/** Why a loop was not explored to its end. */
export function openLoopWords({ site, open }: ReturnType<Explorer['openLoops']>[number]): string {
  const at = kernelFunction(site);
  return open === 'counts'
    ? `the loop in ${at} counts its rounds in vain, cut after ${MOST_ROUNDS} alike`
    : `the loop in ${at} gives up after very many rounds in vain, cut before`;
}

/** Why threads that wait for ever do. */
export function stuckFinding(snapshot: Snapshot): Finding {
  const { blocked, threads } = snapshot;
  const has = (reason: SnapshotBlocked['reason']): boolean => blocked.some((one) => one.reason === reason);
  const kind = has('lock') || has('grace-period') ? 'deadlock' : has('sleep') ? 'lost-wakeup' : 'livelock';
  const message = blocked.map((one) => `${threads[one.thread].name} ${waitWords(one, snapshot)}`).join('; ');
  const first = blocked.find(({ reason }) => kind !== 'deadlock' || reason !== 'spin') ?? blocked[0];
  const keys = [...threads.flatMap(({ events }) => events.slice(-1)), ...blocked.flatMap(({ loads }) => loads)];
  return { kind, message, at: kernelFunction(first.site), snapshot, keys, last: null };
}

/** `waits for mapping.tree_lock, which reclaim holds since removeMapping`. */
function waitWords({ reason, site, address, loads }: SnapshotBlocked, snapshot: Snapshot): string {
  const where = kernelFunction(site);
  switch (reason) {
    case 'lock':
      return `waits in ${where} for ${snapshot.describe(address)}, ${holderWords(address, snapshot)}`;
    case 'sleep':
      return `sleeps in ${where}, and nobody is left to wake it`;
    case 'grace-period':
      return `waits in ${where} for a reader that does not end`;
    case 'spin': {
      const words = [...new Set(loads.map((load) => snapshot.describe(load.address)))];
      return `goes round in ${where} for ever: ${words.length === 0 ? 'nothing' : words.join(', ')} will not change`;
    }
  }
}

function holderWords(address: number, { coherence, threads }: Snapshot): string {
  const holder: SnapshotEvent | undefined = coherence.get(address)?.at(-1);
  if (holder === undefined) return 'which setup left held';
  const { name, ended } = threads[holder.thread];
  return `which ${name} holds since ${kernelFunction(holder.site)}${ended ? ', and it has ended' : ''}`;
}
