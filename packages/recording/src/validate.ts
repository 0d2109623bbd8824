// SPDX-License-Identifier: MIT
import { PAGE_LIMIT, PAGE_SIZE } from './codec.js';
import type { Exec, FileInfo, Fork, Header, Rec } from './format.js';

/** What a record breaks: `expected` and `got`, for the error message. */
export interface Fault {
  expected: string;
  got: string;
}

const fault = (expected: string, got: string): Fault => ({ expected, got });

interface ThreadState {
  pid: number;
  space: number;
  exited: boolean;
}

/**
 * Follows a recording's records in order and finds the first that cannot be: out of order in time, of a thread not yet born
 * or gone, of a file, space or description that does not exist, at an impossible address.
 */
export class Consistency {
  readonly #header: Header;
  readonly #files: readonly FileInfo[];
  readonly #threads = new Map<number, ThreadState>();
  readonly #open = new Map<number, number>();
  readonly #ofdsSeen = new Set<number>();
  #spaces = 0;
  #now = 0;

  constructor(header: Header, files: readonly FileInfo[]) {
    this.#header = header;
    this.#files = files;
  }

  /** Checks the next record. */
  next(record: Rec): Fault | null {
    return this.#time(record) ?? this.#thread(record) ?? this.#ids(record) ?? this.#own(record);
  }

  /** Checks that nothing which the header promises is missing. */
  finish(): Fault | null {
    const unborn = this.#header.threads.find((thread) => !this.#threads.has(thread.tid));
    if (unborn) return fault(`records of thread ${unborn.tid} (it is in the header)`, 'none');
    if (this.#spaces !== this.#header.spaces.length) {
      return fault(`${this.#header.spaces.length} address spaces (the header's count)`, String(this.#spaces));
    }
    return null;
  }

  #time(record: Rec): Fault | null {
    if (record.start < this.#now)
      return fault(`a start of at least ${this.#now} (the record before)`, String(record.start));
    const end = 'end' in record ? record.end : record.start;
    if (end > this.#header.duration) return fault(`a time within the duration ${this.#header.duration}`, String(end));
    this.#now = record.start;
    return null;
  }

  #thread(record: Rec): Fault | null {
    if (this.#threads.size === 0) return this.#first(record);
    const thread = this.#threads.get(record.tid);
    if (!thread) return fault('a thread that was born before', `thread ${record.tid}`);
    // The kernel takes down an address space after the thread's exit; it counts as that thread's doing.
    if (thread.exited && !TRUTH.has(record.kind))
      return fault(`no ${record.kind} of thread ${record.tid} after its exit`, record.kind);
    if (record.kind === 'exit') thread.exited = true;
    return null;
  }

  #first(record: Rec): Fault | null {
    const first = this.#header.threads[0];
    if (!first) return fault('no records (the header has no threads)', record.kind);
    if (record.kind !== 'exec' || record.tid !== first.tid) {
      return fault(`the exec of thread ${first.tid} as the first record`, `${record.kind} of thread ${record.tid}`);
    }
    this.#threads.set(first.tid, { pid: first.pid, space: 0, exited: false });
    return null;
  }

  #ids(record: Rec): Fault | null {
    for (const file of filesOf(record)) {
      if (file >= this.#files.length) return fault(`a file id below ${this.#files.length}`, String(file));
    }
    if (!('ofd' in record) || record.kind === 'open' || record.ofd === null) return null;
    const opened = this.#open.get(record.ofd);
    if (opened === undefined) return fault('a description that is open', `description ${record.ofd}`);
    if ('file' in record && record.file !== opened) {
      return fault(`file ${opened} (description ${record.ofd} was opened on it)`, `file ${record.file}`);
    }
    return null;
  }

  #own(record: Rec): Fault | null {
    switch (record.kind) {
      case 'fork':
        return this.#fork(record);
      case 'exec':
        return this.#exec(record);
      case 'open':
        if (this.#ofdsSeen.has(record.ofd)) return fault('a new description id', `${record.ofd}, used before`);
        this.#ofdsSeen.add(record.ofd);
        this.#open.set(record.ofd, record.file);
        return null;
      case 'close':
        this.#open.delete(record.ofd);
        return null;
      case 'rss':
        return record.space < this.#header.spaces.length
          ? null
          : fault(`a space id below ${this.#header.spaces.length}`, String(record.space));
      case 'map-around':
        return record.last >= record.first
          ? null
          : fault(`a last index of at least ${record.first}`, String(record.last));
      case 'mmap':
        if ((record.file === null) !== (record.ofd === null))
          return fault('file and description both or neither', 'one of them');
        return mapped(record.result, record.length);
      case 'mremap':
        return mapped(record.result, record.newLength);
      case 'munmap':
      case 'mprotect':
        return record.result === 0 ? mapped(record.page, record.length) : null;
      case 'read':
      case 'write':
        return record.result <= record.length
          ? null
          : fault(`a result of at most ${record.length}`, String(record.result));
      case 'added':
      case 'removed':
        return record.pages > 0 ? null : fault('at least one page', '0');
      default:
        return null;
    }
  }

  #fork(record: Fork): Fault | null {
    const parent = this.#threads.get(record.tid) as ThreadState;
    const known = this.#threads.get(record.child);
    if (known && !known.exited) return fault('a child that is not alive yet', `thread ${record.child}`);
    if (!this.#header.threads.some((thread) => thread.tid === record.child)) {
      return fault('a child that the header lists', `thread ${record.child}`);
    }
    const wanted = record.shares.includes('vm') ? parent.space : this.#spaces++;
    if (record.space !== wanted) return fault(`address space ${wanted}`, String(record.space));
    const thread = record.shares.includes('thread');
    if (thread !== (record.childPid === parent.pid)) {
      return fault(thread ? `process ${parent.pid} for a thread` : 'a process id of its own', String(record.childPid));
    }
    this.#threads.set(record.child, { pid: record.childPid, space: record.space, exited: false });
    return null;
  }

  #exec(record: Exec): Fault | null {
    const wanted = this.#spaces++;
    if (record.space !== wanted) return fault(`address space ${wanted}`, String(record.space));
    (this.#threads.get(record.tid) as ThreadState).space = wanted;
    return null;
  }
}

const TRUTH: ReadonlySet<string> = new Set(['added', 'removed', 'rss', 'map-around', 'file-fault', 'close']);

function filesOf(record: Rec): number[] {
  const files: number[] = [];
  if ('file' in record && record.file !== null) files.push(record.file);
  if (record.kind === 'copy') for (const side of [record.from, record.to]) if (side !== null) files.push(side);
  if (record.kind === 'rename' && record.replaced !== null) files.push(record.replaced);
  if (record.kind === 'exec') for (const vma of record.maps) if (vma.file !== null) files.push(vma.file);
  return files;
}

function mapped(page: number, length: number): Fault | null {
  if (page < 0) return null;
  const end = page + Math.ceil(length / PAGE_SIZE);
  return end <= PAGE_LIMIT
    ? null
    : fault('a range below the end of user addresses', `one that ends at page ${end.toString(16)}`);
}
