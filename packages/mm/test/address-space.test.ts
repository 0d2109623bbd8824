// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import type { File, MmStruct } from '@lockless/mm-types';
import { File as FileFields } from '@lockless/mm-types';
import { invalidateMappingPages } from '@lockless/pagecache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_SYNC,
  PROT_READ,
  type Seen,
  sysFtruncate,
  sysMadvise,
  sysMlock,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunlock,
  sysMunmap,
  sysPread,
  sysPwrite,
} from '../src/index.js';
import { FileModel, SpaceModel, truncateModel } from './address-space-model.js';
import { RW, SequentialMachine } from './sequential-machine.js';

/** All the action is on these pages: across the border of two page tables. */
const FIRST = 1024 - 20;
const PAGES = 40;
const FILE_PAGES = 24;
const MAX_PROCESSES = 3;

const at = fc.integer({ min: 0, max: PAGES - 1 });
const length = fc.integer({ min: 1, max: 12 });
const who = fc.integer({ min: 0, max: MAX_PROCESSES - 1 });
const which = fc.integer({ min: 0, max: 1 });
const index = fc.integer({ min: 0, max: FILE_PAGES - 1 });
const prot = fc.constantFrom(RW, RW, PROT_READ, 0);
const kind = fc.constantFrom('anonymous', 'private', 'shared') as fc.Arbitrary<'anonymous' | 'private' | 'shared'>;

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('mmap' as const), who, at, length, kind, prot, which, index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('munmap' as const), who, at, length }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mprotect' as const), who, at, length, prot }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('mremap' as const), who, at, length, to: at, newLength: length }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('dontneed' as const), who, at, length }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mlock' as const), who, at, length, lock: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('read' as const), who, at }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('write' as const), who, at }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('touch' as const), who, at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fork' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('exit' as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('truncate' as const),
      which,
      pages: fc.integer({ min: 0, max: FILE_PAGES }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pwrite' as const), who, which, index, at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pread' as const), who, which, index, at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('msync' as const), who, at, length }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), which }) },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

interface Process {
  readonly mm: Ptr<MmStruct>;
  readonly model: SpaceModel;
}

class Run {
  readonly machine: SequentialMachine;
  readonly files: { readonly file: Ptr<File>; readonly model: FileModel }[];
  processes: Process[];
  private datum = 0;

  constructor(faultAroundPages: number) {
    this.machine = new SequentialMachine({ memoryPages: 1024, minFreeKbytes: 64, mm: { faultAroundPages } });
    this.files = [3, 4].map((ino) => ({
      file: this.machine.file(ino, FILE_PAGES * 4096).file,
      model: new FileModel(ino, FILE_PAGES),
    }));
    const first = { mm: this.machine.process(), model: new SpaceModel() };
    this.processes = [first];
    // Something of every kind, written and unwritten, so that few commands are in vain.
    const common = { do: 'mmap', who: 0, length: 12, prot: RW, which: 0, index: 4 } as const;
    this.stepOf(first, { ...common, at: 0, kind: 'anonymous' });
    this.stepOf(first, { ...common, at: 14, kind: 'private' });
    this.stepOf(first, { ...common, at: 28, kind: 'shared' });
    for (let page = 0; page < PAGES; page += 3) this.stepOf(first, { do: 'write', who: 0, at: page });
  }

  private nextDatum(): { identity: number; version: number } {
    this.datum += 1;
    return { identity: -this.datum, version: 1 };
  }

  step(c: Command): void {
    const { machine } = this;
    if (c.do === 'truncate' || c.do === 'drop') {
      const { file, model } = this.files[c.which];
      if (c.do === 'drop') {
        machine.run(
          invalidateMappingPages(
            machine.look(() => peek(FileFields.mapping(file))),
            0,
            FILE_PAGES,
          ),
        );
        return;
      }
      expect(machine.run(sysFtruncate(file, c.pages * 4096))).toBe(0);
      truncateModel(
        this.processes.map((process) => process.model),
        model,
        c.pages,
      );
      return;
    }
    const process = this.processes[c.who % this.processes.length];
    if (process !== undefined) this.stepOf(process, c);
  }

  private stepOf(process: Process, c: Exclude<Command, { which: number; do: 'truncate' | 'drop' }>): void {
    const { machine } = this;
    const { mm, model } = process;
    switch (c.do) {
      case 'mmap': {
        const { file, model: fileModel } = this.files[c.which];
        const backed = c.kind !== 'anonymous';
        const flags = MAP_FIXED | (c.kind === 'shared' ? MAP_SHARED : MAP_PRIVATE) | (backed ? 0 : MAP_ANONYMOUS);
        const request = {
          address: FIRST + c.at,
          pages: c.length,
          prot: c.prot,
          flags,
          file: backed ? file : NULL,
          pgoff: c.index,
        };
        expect(machine.mmap(mm, request)).toBe(FIRST + c.at);
        model.map(
          FIRST + c.at,
          c.length,
          { prot: c.prot, file: backed ? fileModel : null, shared: c.kind === 'shared' },
          c.index,
        );
        return;
      }
      case 'munmap':
        expect(machine.as(mm, sysMunmap(FIRST + c.at, c.length))).toBe(0);
        return model.unmap(FIRST + c.at, c.length);
      case 'mprotect':
        expect(machine.as(mm, sysMprotect(FIRST + c.at, c.length, c.prot)) === 0).toBe(
          model.protect(FIRST + c.at, c.length, c.prot),
        );
        return;
      case 'mremap':
        return this.mremap(process, c);
      case 'dontneed': {
        const error = machine.as(mm, sysMadvise(FIRST + c.at, c.length, MADV_DONTNEED));
        // Locked areas refuse; the model does not know of locking.
        if (error === -22) machine.as(mm, sysMunlock(FIRST, PAGES + 12));
        const again = error === -22 ? machine.as(mm, sysMadvise(FIRST + c.at, c.length, MADV_DONTNEED)) : error;
        if (again === -22) {
          for (let page = FIRST; page < FIRST + PAGES + 12; page++) machine.as(mm, sysMunlock(page, 1));
          machine.as(mm, sysMadvise(FIRST + c.at, c.length, MADV_DONTNEED));
        }
        model.dontneed(FIRST + c.at, c.length);
        return;
      }
      case 'mlock':
        if (c.lock) this.mlock(process, FIRST + c.at, c.length);
        else machine.as(mm, sysMunlock(FIRST + c.at, c.length));
        return;
      case 'read':
        return this.compareRead(process, FIRST + c.at);
      case 'write': {
        const datum = this.nextDatum();
        const { error, content } = machine.write(mm, FIRST + c.at, datum.identity, datum.version);
        const expected = model.write(FIRST + c.at, datum);
        expect(error === 0 ? { error, content } : { error }).toEqual(expected);
        return;
      }
      case 'touch': {
        // A write that leaves the content as it is: a copy must hold what the original held.
        const before = model.read(FIRST + c.at);
        const { error } = machine.touch(mm, FIRST + c.at, 'write');
        if (error === 0 && before.error === 0 && 'content' in before) model.touched(FIRST + c.at, before.content);
        else expect(error).toBe(model.write(FIRST + c.at, this.nextDatum()).error);
        return this.compareRead(process, FIRST + c.at);
      }
      case 'fork':
        if (this.processes.length >= MAX_PROCESSES) return;
        this.processes.push({ mm: machine.fork(mm), model: model.fork() });
        return;
      case 'exit':
        if (this.processes.length === 1) return;
        machine.exit(mm);
        this.processes = this.processes.filter((other) => other !== process);
        return;
      case 'pwrite': {
        const { file, model: fileModel } = this.files[c.which];
        const source = model.read(FIRST + c.at).error;
        const result = machine.as(mm, sysPwrite(file, c.index * 4096, 4096, { page: FIRST + c.at, offset: 0 }));
        expect(result).toBe(source === 0 ? 4096 : -14);
        if (result < 0) return;
        fileModel.pages = Math.max(fileModel.pages, c.index + 1);
        fileModel.written(c.index);
        return;
      }
      case 'pread': {
        const { file, model: fileModel } = this.files[c.which];
        const seen: Seen[] = [];
        const result = machine.as(
          mm,
          sysPread(file, c.index * 4096, 4096, null, (page) => seen.push(page)),
        );
        expect(result).toBe(c.index < fileModel.pages ? 4096 : 0);
        if (result > 0) expect(seen).toEqual([{ ino: fileModel.ino, index: c.index, ...fileModel.content(c.index) }]);
        return;
      }
      case 'msync':
        machine.as(mm, sysMsync(FIRST + c.at, c.length, MS_SYNC));
    }
  }

  /** Locks what can be read as a whole. Bringing in a writable private page is a write fault: it is a copy from then on. */
  private mlock({ mm, model }: Process, at: number, length: number): void {
    const before = Array.from({ length }, (_, i) => model.read(at + i));
    if (before.some(({ error }) => error !== 0)) return;
    this.machine.as(mm, sysMlock(at, length));
    before.forEach((seen, i) => {
      if ('content' in seen && model.isWritable(at + i)) model.touched(at + i, seen.content);
    });
  }

  private mremap({ mm, model }: Process, c: { at: number; length: number; to: number; newLength: number }): void {
    const [from, to] = [FIRST + c.at, FIRST + c.to];
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    const request = { address: from, oldPages: c.length, newPages: c.newLength, flags, newAddress: to };
    const result = this.machine.as(mm, sysMremap(request));
    if (to < from + c.length && to + c.newLength > from) {
      expect(result).toBe(-22);
    } else if (result === to) {
      model.move(from, c.length, to, c.newLength);
    } else {
      // Not one area: nothing has changed (mremapChecksFirst).
      expect(result).toBe(-14);
    }
  }

  compareRead({ mm, model }: Process, page: number): void {
    const { error, content } = this.machine.read(mm, page);
    expect(error === 0 ? { error, content } : { error }, `page ${page}`).toEqual(model.read(page));
  }

  compareAll(): void {
    for (const process of this.processes) {
      for (let page = FIRST - 1; page < FIRST + PAGES + 12; page++) this.compareRead(process, page);
    }
  }
}

describe('any sequence of system calls and accesses', () => {
  for (const faultAroundPages of [1, 16]) {
    it(`gives each process what it must read, fault-around ${faultAroundPages}`, () => {
      fc.assert(
        fc.property(fc.array(command, { minLength: 5, maxLength: 60 }), (commands) => {
          const run = new Run(faultAroundPages);
          for (const c of commands) run.step(c);
          expect(run.machine.verify()).toBeNull();
          run.compareAll();
          for (const { mm } of run.processes) run.machine.exit(mm);
          expect(run.machine.verify()).toBeNull();
        }),
        { numRuns: Number(process.env.LOCKLESS_RUNS ?? 20) },
      );
    });
  }
});
