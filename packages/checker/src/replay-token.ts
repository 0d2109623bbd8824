// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';
import { CheckError } from './errors.js';
import { outOfOrder } from './order.js';
import { SitesAsMet } from './sites.js';
import type { Snapshot, SnapshotEvent } from './snapshot.js';

/** An event by name: the nth (from 1) of that site, counted from where {@link Segment} and {@link Pick} say. */
export interface NamedEvent {
  readonly site: string;
  readonly nth: number;
}

/** What an access does other than read the latest store or become it. Named by its site, counted from the beginning of the segment. */
export interface Pick extends NamedEvent {
  /**
   * A load: the store that it reads. A store: the one that it comes before. Counted from the beginning of its thread; null: the initial value. Of
   * choose(): the number.
   */
  readonly source: ({ readonly thread: string } & NamedEvent) | number | null;
}

/** A thread runs until it has done an event, counted from the beginning of the segment. */
export interface Segment {
  readonly thread: string;
  readonly until: NamedEvent;
  readonly picks: readonly Pick[];
}

const VERSION = '1';

/**
 * The token of an execution: who runs how far, in turn, by function and primitive. It has no positions, values or lines, so it survives
 * edits that leave the steps alone that it names. `order`: relevant events, in an order that explains the execution.
 */
export function replayToken(order: readonly SnapshotEvent[], snapshot: Snapshot): string {
  const segments: string[] = [];
  const done = new Set<SnapshotEvent>();
  const sites = new Map<SnapshotEvent, string>();
  for (const { events } of snapshot.threads) {
    const met = new SitesAsMet();
    for (const event of events) sites.set(event, met.name(event.site));
  }
  const name = ({ thread }: SnapshotEvent): string => quote(snapshot.threads[thread].name);
  const nth = (event: SnapshotEvent, from: number): string => {
    const site = sites.get(event) as string;
    const { events } = snapshot.threads[event.thread];
    const n = events.slice(from, event.position + 1).filter((other) => sites.get(other) === site).length;
    return quote(site) + (n === 1 ? '' : `:${n}`);
  };
  const reached = snapshot.threads.map(() => 0);
  for (let i = 0; i < order.length; ) {
    const { thread } = order[i];
    const from = reached[thread];
    let text = '';
    let last = order[i];
    for (; i < order.length && order[i].thread === thread; i++) {
      last = order[i];
      if (PRIMITIVES[last.code].event === 'CHOOSE' && last.result !== 0) text += `~${nth(last, from)}=${last.result}`;
      const { missed, reads } = outOfOrder(last, snapshot, done);
      done.add(last);
      if (missed.length === 0) continue;
      const source = reads ? last.from : missed[0];
      text += `~${nth(last, from)}=${source === null ? 'initial' : `${name(source)}@${nth(source, 0)}`}`;
    }
    reached[thread] = last.position + 1;
    segments.push(`${name(last)}@${nth(last, from)}${text}`);
  }
  return [VERSION, ...segments].join('/');
}

/** Escapes what the token's grammar uses; `#` stays, for the eye. */
const quote = (text: string): string => encodeURIComponent(text).replaceAll('~', '%7E').replaceAll('%23', '#');

/** Reads a token. Throws CheckError on what is none. */
export function parseReplayToken(token: string): Segment[] {
  const bad = (what: string): CheckError => new CheckError('replay-mismatch', `'${token}' is no replay token: ${what}`);
  const [version, ...parts] = token.split('/');
  if (version !== VERSION) throw bad(`it begins with '${version.slice(0, 20)}', expected '${VERSION}/'`);
  const unquote = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw bad(`'${text}' has a bad escape`);
    }
  };
  const event = (text: string): NamedEvent => {
    const match = /^([^:@=~]+)(?::([1-9]\d*))?$/.exec(text);
    if (match === null) throw bad(`expected <function>.<primitive>, got '${text}'`);
    return { site: unquote(match[1]), nth: Number(match[2] ?? 1) };
  };
  const threadEvent = (text: string): { thread: string } & NamedEvent => {
    const at = text.indexOf('@');
    if (at < 1) throw bad(`expected <thread>@<function>.<primitive>, got '${text}'`);
    return { thread: unquote(text.slice(0, at)), ...event(text.slice(at + 1)) };
  };
  const sourceOf = (text: string): Pick['source'] =>
    text === 'initial' ? null : /^\d+$/.test(text) ? Number(text) : threadEvent(text);
  return parts.map((part) => {
    const [head, ...picks] = part.split('~');
    const { thread, ...until } = threadEvent(head);
    return {
      thread,
      until,
      picks: picks.map((pick) => {
        const equals = pick.indexOf('=');
        if (equals < 0) throw bad(`expected <site>=<source>, got '${pick}'`);
        const source = pick.slice(equals + 1);
        return { ...event(pick.slice(0, equals)), source: sourceOf(source) };
      }),
    };
  });
}
