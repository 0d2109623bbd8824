// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  atomicSet,
  downWrite,
  GFP_KERNEL,
  initListHead,
  initRwsem,
  kmemCacheAlloc,
  kmemCacheCreate,
  listAddTail,
  NULL,
  SequentialEngine,
  store,
} from '@lockless/cpu';
import { AddressSpace, AnonVma, File, MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { bootRcuEvents } from '@lockless/rcu';
import { mmAllLocksInit } from '../src/index.js';

const mms = kmemCacheCreate(MmStruct);
const vmas = kmemCacheCreate(VmAreaStruct);
const anonVmas = kmemCacheCreate(AnonVma);
const mappings = kmemCacheCreate(AddressSpace);
const files = kmemCacheCreate(File);

/** What an area has: the number of an anon_vma, and of a file. */
export interface AreaPlan {
  readonly anonVma?: number;
  readonly file?: number;
}

export interface Space {
  readonly mm: Ptr<MmStruct>;
  /** Those that areas have, by number. */
  readonly anonVmas: ReadonlyMap<number, Ptr<AnonVma>>;
  readonly mappings: ReadonlyMap<number, Ptr<AddressSpace>>;
}

/** An address space with these areas, in this order. *Returns* it with mmap_sem free. */
export function* makeSpace(plan: readonly AreaPlan[]): Op<Space> {
  bootRcuEvents();
  yield* mmAllLocksInit();
  const mm = (yield* kmemCacheAlloc(mms, GFP_KERNEL)) as Ptr<MmStruct>;
  yield* initRwsem(MmStruct.mmapSem(mm));
  yield* atomicSet(MmStruct.mmUsers(mm), 1);
  yield* atomicSet(MmStruct.mmCount(mm), 1);
  const groups = new Map<number, Ptr<AnonVma>>();
  const opened = new Map<number, Ptr<File>>();
  const cached = new Map<number, Ptr<AddressSpace>>();
  let link = MmStruct.mmap(mm);
  for (const { anonVma, file } of plan) {
    const vma = (yield* kmemCacheAlloc(vmas, GFP_KERNEL)) as Ptr<VmAreaStruct>;
    yield* store(VmAreaStruct.vmMm(vma), mm);
    if (anonVma !== undefined) {
      const group = groups.get(anonVma) ?? (yield* makeAnonVma());
      groups.set(anonVma, group);
      yield* store(VmAreaStruct.anonVma(vma), group);
      yield* listAddTail(VmAreaStruct.anonVmaNode(vma), AnonVma.head(group));
    }
    if (file !== undefined) {
      if (!cached.has(file)) {
        const mapping = (yield* kmemCacheAlloc(mappings, GFP_KERNEL)) as Ptr<AddressSpace>;
        const open = (yield* kmemCacheAlloc(files, GFP_KERNEL)) as Ptr<File>;
        yield* store(File.mapping(open), mapping);
        cached.set(file, mapping);
        opened.set(file, open);
      }
      yield* store(VmAreaStruct.vmFile(vma), opened.get(file) ?? NULL);
    }
    yield* store(link, vma);
    link = VmAreaStruct.vmNext(vma);
  }
  return { mm, anonVmas: groups, mappings: cached };
}

function* makeAnonVma(): Op<Ptr<AnonVma>> {
  const anonVma = (yield* kmemCacheAlloc(anonVmas, GFP_KERNEL)) as Ptr<AnonVma>;
  yield* initListHead(AnonVma.head(anonVma));
  return anonVma;
}

/** One CPU that counts its accesses. */
export class Machine {
  /** Each access, while recording. */
  readonly trace: { readonly name: string; readonly address: number }[] = [];
  /** Called before each access while recording. */
  onAccess: (name: string, address: number) => void = () => {};
  private recording = false;
  readonly engine: SequentialEngine;

  constructor(words?: number) {
    this.engine = new SequentialEngine({
      ...(words === undefined ? {} : { words }),
      onAccess: (name, address) => {
        if (!this.recording) return;
        this.trace.push({ name, address });
        this.onAccess(name, address);
      },
    });
  }

  run<T>(op: Op<T>): T {
    return this.engine.run(op);
  }

  /** Runs with each access recorded, anew. */
  record<T>(op: Op<T>): T {
    this.trace.length = 0;
    this.recording = true;
    const result = this.engine.run(op);
    this.recording = false;
    return result;
  }

  space(plan: readonly AreaPlan[]): Space {
    return this.run(makeSpace(plan));
  }

  /** The same, mmap_sem held for write. */
  lockedSpace(plan: readonly AreaPlan[]): Space {
    const space = this.space(plan);
    this.run(downWrite(MmStruct.mmapSem(space.mm)));
    return space;
  }
}
