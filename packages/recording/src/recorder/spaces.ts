// SPDX-License-Identifier: MIT
import type { Rec, RssMember } from '../format.js';
import type { Space, Thread } from './tasks.js';
import type { TraceEvent } from './trace-events.js';

type RssEvent = Extract<TraceEvent, { name: 'rss' }>;

/**
 * Tells whose counter an rss_stat event is about. The kernel prints a hash of the mm's address, which a later mm may reuse,
 * so what counts is what the thread is doing: an event about another mm than its own comes from fork or exec (the one being
 * made), or from the end of one (the one being torn down).
 */
export class Spaces {
  readonly all: Space[] = [];
  /** Events that no rule explains. */
  unexplained = 0;

  make(pid: number, born: Space['born']): Space {
    const rss = { file: 0, anon: 0, swap: 0, shmem: 0 };
    const id = this.all.length;
    const space: Space = { id, pid, born, start: 0, end: 0, mm: null, users: 0, rss, rssAtEnd: null, unknownMaps: [] };
    this.all.push(space);
    return space;
  }

  /** A user of the space is gone. The last one's departure is the end of the space: its counters then are its last word. */
  leave(space: Space, time: number): void {
    if (--space.users > 0) return;
    space.rssAtEnd = { ...space.rss };
    space.end = time;
  }

  /** Applies an event. Gives the record, or null while the space that it is about is not yet born. */
  rss(thread: Thread, event: RssEvent): Rec | null {
    const space = this.#about(thread, event);
    if (!space) {
      this.unexplained++;
      return null;
    }
    space.rss[event.member] = event.pages;
    // During an exec the old space is charged for the argument pages of the new image, until just after the exchange.
    if (thread.call?.replaced && event.current && space.rssAtEnd) space.rssAtEnd = { ...space.rss };
    if (space === thread.call?.making && thread.call.replaced === null) return null;
    return rssRecord(thread.tid, event.time, space, event.member);
  }

  #about(thread: Thread, event: RssEvent): Space | null {
    const call = thread.call;
    const own = thread.space;
    if (thread.exit) return own;
    if (call?.name === 'execve' || call?.name === 'execveat') return this.#inExec(thread, event);
    if (event.current) {
      own.mm = event.mm;
      return own;
    }
    if (call && FORKS.has(call.name)) {
      call.making ??= this.make(0, 'fork');
      call.making.mm = event.mm;
      return call.making;
    }
    return this.all.findLast((space) => space.mm === event.mm && space.rssAtEnd === null) ?? null;
  }

  #inExec(thread: Thread, event: RssEvent): Space | null {
    const call = thread.call;
    if (!call) return null;
    // After the exchange `thread.space` is the new one; the old one is what the mm says.
    if (call.replaced && event.mm !== thread.space.mm && thread.space.mm !== null) {
      return this.all.findLast((space) => space.mm === event.mm && space !== thread.space) ?? null;
    }
    if (call.replaced === null) {
      if (thread.space.mm === event.mm || (thread.space.mm === null && event.current)) {
        thread.space.mm = event.mm;
        return thread.space;
      }
      call.making ??= this.make(thread.pid, 'exec');
      call.making.mm = event.mm;
      return call.making;
    }
    thread.space.mm = event.mm;
    return thread.space;
  }
}

export const FORKS: ReadonlySet<string> = new Set(['fork', 'vfork', 'clone', 'clone3']);

function rssRecord(tid: number, start: number, space: Space, member: RssMember): Rec {
  return { kind: 'rss', tid, start, space: space.id, member, pages: space.rss[member] };
}

/** The counters that are not zero, as records: what a space is born with. */
export function rssRecords(tid: number, start: number, space: Space): Rec[] {
  const members = Object.keys(space.rss) as RssMember[];
  return members.filter((member) => space.rss[member] > 0).map((member) => rssRecord(tid, start, space, member));
}
