// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { mutexLock, mutexUnlock, peek, readOnce } from '@lockless/cpu';
import { AddressSpace, type File, FMODE_READ, FMODE_WRITE, Inode, PAGE_SIZE, Page, PG_DIRTY } from '@lockless/mm-types';
import { zonePageState } from '@lockless/page';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cachedPages,
  contentOf,
  fadvise,
  filemapWriteAndWait,
  fileOpen,
  freeBlocks,
  type Generation,
  genericFileRead,
  genericFileWrite,
  inodeAlloc,
  iSizeWrite,
  POSIX_FADV_DONTNEED,
  pageCacheIsTidy,
  pagesLeftBusy,
  truncateInodePages,
  writebackInodes,
} from '../src/index.js';
import { bootSequential, type SequentialSystem } from './sequential-system.js';

const INO = 7;

/** What a file is: a size, and how often each page was written since it was last truncated away. */
class FileModel {
  size = 0;
  readonly versions: Map<number, number> = new Map();

  write(pos: number, count: number): void {
    for (let i = Math.floor(pos / PAGE_SIZE); i * PAGE_SIZE < pos + count; i++) {
      this.versions.set(i, (this.versions.get(i) ?? 0) + 1);
    }
    this.size = Math.max(this.size, pos + count);
  }

  truncate(size: number): void {
    for (const index of [...this.versions.keys()]) if (index * PAGE_SIZE >= size) this.versions.delete(index);
    this.size = size;
  }

  /** What a read must deliver: per page, bytes and version. */
  read(pos: number, count: number): { index: number; bytes: number; version: number }[] {
    const parts = [];
    for (let at = pos; at < Math.min(pos + count, this.size); ) {
      const index = Math.floor(at / PAGE_SIZE);
      const bytes = Math.min((index + 1) * PAGE_SIZE, pos + count, this.size) - at;
      parts.push({ index, bytes, version: this.versions.get(index) ?? 0 });
      at += bytes;
    }
    return parts;
  }
}

/** The same file in the page cache. */
class CachedFile {
  readonly system: SequentialSystem;
  readonly inode: Ptr<Inode>;
  readonly file: Ptr<File>;

  constructor(system: SequentialSystem) {
    this.system = system;
    const opened = system.run(
      (function* (): Op<[Ptr<Inode>, Ptr<File>]> {
        const inode = (yield* inodeAlloc(INO, 0)) as Ptr<Inode>;
        return [inode, (yield* fileOpen(inode, FMODE_READ | FMODE_WRITE)) as Ptr<File>];
      })(),
    );
    [this.inode, this.file] = opened;
  }

  get mapping(): Ptr<AddressSpace> {
    return Inode.data(this.inode);
  }

  write(pos: number, count: number): number {
    return this.system.run(
      genericFileWrite(this.file, pos, count, function* (_page, _offset, n) {
        return n;
      }),
    );
  }

  read(pos: number, count: number): { index: number; bytes: number; version: number; identity: number }[] {
    const parts: { index: number; bytes: number; version: number; identity: number }[] = [];
    const op = genericFileRead(this.file, pos, count, function* (page, _offset, bytes) {
      const index = yield* readOnce(Page.index(page));
      const version = yield* readOnce(Page.contentVersion(page));
      parts.push({ index, bytes, version, identity: yield* readOnce(Page.contentIdentity(page)) });
      return bytes;
    });
    const total = this.system.run(op);
    expect(total).toBe(parts.reduce((sum, part) => sum + part.bytes, 0));
    return parts;
  }

  truncate(size: number): void {
    const { inode, mapping } = this;
    this.system.run(
      (function* (): Op<void> {
        yield* mutexLock(Inode.mutex(inode));
        yield* iSizeWrite(inode, size);
        yield* truncateInodePages(mapping, size);
        freeBlocks(INO, Math.ceil(size / PAGE_SIZE));
        yield* mutexUnlock(Inode.mutex(inode));
      })(),
    );
  }
}

type Command =
  | { kind: 'write' | 'read'; pos: number; count: number }
  | { kind: 'truncate'; size: number }
  | { kind: 'sync' | 'drop' | 'background' };

const position = fc.integer({ min: 0, max: 90 * PAGE_SIZE });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      pos: position,
      count: fc.integer({ min: 1, max: 6 * PAGE_SIZE }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      pos: position,
      count: fc.integer({ min: 1, max: 40 * PAGE_SIZE }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), size: position }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom({ kind: 'sync' as const }, { kind: 'drop' as const }, { kind: 'background' as const }),
  },
);

function perform(cached: CachedFile, model: FileModel, step: Command): void {
  switch (step.kind) {
    case 'write':
      expect(cached.write(step.pos, step.count)).toBe(step.count);
      model.write(step.pos, step.count);
      return;
    case 'read': {
      const wanted = model.read(step.pos, step.count);
      expect(cached.read(step.pos, step.count)).toEqual(
        wanted.map((part) => ({ ...part, identity: contentOf(INO, part.index) })),
      );
      return;
    }
    case 'truncate':
      cached.truncate(step.size);
      model.truncate(step.size);
      return;
    case 'sync':
      expect(cached.system.run(filemapWriteAndWait(cached.mapping))).toBe(0);
      for (const [index, version] of model.versions) expect(cached.system.store.versionOf(INO, index)).toBe(version);
      return;
    case 'drop':
      expect(cached.system.run(fadvise(cached.file, 0, 0, POSIX_FADV_DONTNEED))).toBe(0);
      return;
    case 'background':
      cached.system.run(writebackInodes(1000));
  }
}

function tidy(cached: CachedFile): void {
  cached.system.run(
    (function* (): Op<void> {
      expect(pageCacheIsTidy([cached.mapping])).toBeNull();
      expect(pagesLeftBusy([cached.mapping])).toBeNull();
      const pages = cachedPages(cached.mapping).map(({ page }) => peek(Page.flags(page)));
      const dirty = pages.filter((flags) => (flags & (1 << PG_DIRTY)) !== 0).length;
      expect(zonePageState()).toMatchObject({ nr_file_pages: pages.length, nr_dirty: dirty, nr_writeback: 0 });
    })(),
  );
}

describe.each<{ generation: Generation; model: '2.6.27' | '6.18' }>([
  { generation: 'freeze-refs', model: '2.6.27' },
  { generation: 'freeze-refs', model: '6.18' },
  { generation: 'tree-lock', model: '2.6.27' },
])('one file, $generation, read-ahead of $model', ({ generation, model: readahead }) => {
  const boot = () => new CachedFile(bootSequential({ generation, readahead: { model: readahead, largeFolios: true } }));

  it('reads what was written, whatever is synced, dropped and truncated in between', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 40 }), (commands) => {
        const cached = boot();
        const model = new FileModel();
        for (const step of commands) perform(cached, model, step);
        tidy(cached);
      }),
      { numRuns: Number(process.env.LOCKLESS_RUNS ?? 60) },
    );
  });

  it('reads an extended file as zeros behind the old end, not what was there before the cut', () => {
    const cached = boot();
    cached.write(0, 10 * PAGE_SIZE);
    cached.truncate(2 * PAGE_SIZE + 100);
    cached.truncate(10 * PAGE_SIZE);
    expect(cached.read(0, 20 * PAGE_SIZE).map((part) => part.version)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('keeps counting versions when a page is overwritten as a whole without being read', () => {
    const cached = boot();
    cached.write(0, PAGE_SIZE);
    cached.write(0, PAGE_SIZE);
    cached.system.run(filemapWriteAndWait(cached.mapping));
    cached.system.run(fadvise(cached.file, 0, 0, POSIX_FADV_DONTNEED));
    cached.system.run(
      (function* (): Op<void> {
        expect(peek(AddressSpace.nrpages(cached.mapping))).toBe(0);
      })(),
    );
    const { reads } = cached.system.store.counts;
    cached.write(0, PAGE_SIZE);
    expect(cached.system.store.counts.reads).toBe(reads);
    expect(cached.read(0, PAGE_SIZE)).toMatchObject([{ version: 3 }]);
  });
});
