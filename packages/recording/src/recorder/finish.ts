// SPDX-License-Identifier: MIT
import type { FileInfo, Rec, SpaceInfo, ThreadInfo } from '../format.js';
import type { Assembly } from './assembly.js';
import type { FileTable, TrackedFile } from './files.js';
import { signalNumber } from './flags.js';
import type { StraceLog } from './strace-log.js';
import type { Draft } from './tasks.js';

export interface Assembled {
  files: FileInfo[];
  records: Rec[];
  threads: ThreadInfo[];
  spaces: SpaceInfo[];
  duration: number;
  warnings: string[];
}

/** Puts an assembly's drafts in order, from the program's exec on, with final ids and times that begin at 0. */
export function finishAssembly(assembly: Assembly, files: FileTable, strace: StraceLog): Assembled {
  const drafts = [...assembly.drafts, ...exits(assembly, strace)].sort((a, b) => a.key - b.key);
  const first = drafts.findIndex(({ record }) => record.kind === 'exec');
  if (first < 0) return { files: [], records: [], threads: [], spaces: [], duration: 0, warnings: [] };
  const begin = drafts[first].record.start;
  const spaces = new Renumber();
  const fileIds = new Renumber();
  const same = files.settle();
  const fileId = (id: number): number => fileIds.of((same.get(files.all[id]) ?? files.all[id]).id);
  const records: Rec[] = [];
  // What entered the cache for the first exec to read the program's headers belongs to that exec.
  const headers = drafts.slice(0, first).filter(({ record }) => record.kind === 'added' || record.kind === 'removed');
  const early = headers.map(({ record }) => ({ record: { ...record, start: begin } }));
  for (const { record } of [drafts[first], ...early, ...drafts.slice(first + 1)]) {
    if (record.kind === 'rss' && !spaces.has(record.space)) continue;
    records.push(finalRecord(record, begin, spaces, fileId));
  }
  const duration = records.reduce((latest, record) => Math.max(latest, 'end' in record ? record.end : record.start), 0);
  const since = (time: number): number => Math.min(duration, Math.max(0, time - begin));
  return {
    files: fileIds.old.map((old, id) => fileInfo(files.all[old], id)),
    records,
    threads: [...assembly.threads.values()].map(({ tid, pid, comm, start, end }) => ({
      tid,
      pid,
      comm,
      start: since(start),
      end: since(end),
    })),
    spaces: spaces.old.map((old, id) => {
      const { pid, born, start, end, rssAtEnd } = assembly.spaces.all[old];
      return { id, pid, born, start: since(start), end: rssAtEnd ? since(end) : duration, rssAtEnd };
    }),
    duration,
    warnings: warnings(assembly, files),
  };
}

/** Ids in order of first use. */
class Renumber {
  readonly old: number[] = [];
  readonly #ids = new Map<number, number>();

  of(old: number): number {
    let id = this.#ids.get(old);
    if (id === undefined) {
      id = this.old.push(old) - 1;
      this.#ids.set(old, id);
    }
    return id;
  }

  has(old: number): boolean {
    return this.#ids.has(old);
  }
}

function exits(assembly: Assembly, strace: StraceLog): Draft[] {
  const lastTouch = new Map<number, Draft>();
  for (const draft of assembly.drafts) if (draft.record.kind === 'touch') lastTouch.set(draft.record.tid, draft);
  const drafts: Draft[] = [];
  for (const { tid, exit } of assembly.threads.values()) {
    if (!exit) continue;
    const end = strace.ends.get(tid);
    // The kernel writes to user memory while a thread exits (clear_child_tid): that is still before its end.
    const touch = lastTouch.get(tid);
    const late = touch && touch.key > exit.key ? touch : null;
    const [key, start] = late ? [late.key + 1, late.record.start] : [exit.key, exit.time];
    const signal = end?.signal ? signalNumber(end.signal) : 0;
    drafts.push({ key, record: { kind: 'exit', tid, start, code: end?.code ?? 0, signal, last: exit.last } });
  }
  return drafts;
}

function finalRecord(record: Rec, begin: number, spaces: Renumber, fileId: (id: number) => number): Rec {
  const at = { start: record.start - begin, ...('end' in record ? { end: record.end - begin } : {}) };
  switch (record.kind) {
    case 'fork':
    case 'rss':
      return { ...record, ...at, space: spaces.of(record.space) };
    case 'exec': {
      const file = fileId(record.file);
      const maps = record.maps.map((vma) => ({ ...vma, file: vma.file === null ? null : fileId(vma.file) }));
      return { ...record, ...at, space: spaces.of(record.space), file, maps };
    }
    case 'copy':
      return {
        ...record,
        ...at,
        from: record.from === null ? null : fileId(record.from),
        to: record.to === null ? null : fileId(record.to),
      };
    case 'rename':
      return {
        ...record,
        ...at,
        file: fileId(record.file),
        replaced: record.replaced === null ? null : fileId(record.replaced),
      };
    default:
      if (!('file' in record) || record.file === null) return { ...record, ...at } as Rec;
      return { ...record, ...at, file: fileId(record.file) } as Rec;
  }
}

function fileInfo(file: TrackedFile, id: number): FileInfo {
  const { kind, device, inode, firstSize: size, firstPath: path, existed, cached } = file;
  return { id, kind, device, inode, size, path, existed, cached };
}

function warnings(assembly: Assembly, files: FileTable): string[] {
  const list = [...files.warnings];
  for (const [name, times] of assembly.notFollowed) list.push(`${name} is not followed (called ${times} times)`);
  const { unexplained } = assembly.spaces;
  if (unexplained > 0) list.push(`${unexplained} rss_stat events of address spaces that are not the program's`);
  return list;
}
