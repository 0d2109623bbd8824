// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Null, type Op, type Ptr, store } from '@lockless/cpu';
import { ENOMEM, MmStruct, VM_EXEC, VM_GROWSDOWN, VM_READ, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import {
  anonVmaLock,
  anonVmaPrepare,
  anonVmaUnlock,
  findVma,
  findVmaPrev,
  lockAreas,
  unlockAreas,
} from '@lockless/rmap';
import { mmOption } from './mm-options.js';

/**
 * expand_stack(): lets an area that grows down reach `address`.
 *
 * Several threads may do so at once, as mmap_sem is held for reading only: the anon_vma's lock is what orders them (where areas have none, that
 * of lockAreas()), and what keeps the reverse mapping from seeing new bounds with the old offset.
 *
 * *Context*: mmap_sem for reading; `address` is below the area. Sleeps.
 * *Returns* 0, also when another thread was there first; -ENOMEM at the limit of the stack, too near to the area below, or without memory.
 * *Source*: `expand_downwards`, `acct_stack_growth`, mm/mmap.c, 2.6.27; the gap as in 4.12 (1be7107fbe18).
 */
export function* expandStack(vma: Ptr<VmAreaStruct>, address: number): Op<number> {
  // The lock that we need is the anon_vma's own, so there must be one.
  if ((yield* anonVmaPrepare(vma)) !== 0) return -ENOMEM;
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const { prev } = yield* findVmaPrev(mm, address);
  if (prev !== NULL && !(yield* farEnough(prev, address))) return -ENOMEM;
  const anonVma = yield* anonVmaLock(vma);
  yield* lockAreas(mm);
  const error = yield* growDown(mm, vma, address);
  yield* unlockAreas(mm);
  yield* anonVmaUnlock(anonVma);
  return error;
}

/**
 * find_extend_vma(): the area that contains the page; a stack below which it lies grows.
 *
 * *Context*: mmap_sem for reading. *Returns* NULL when there is none. *Source*: mm/mmap.c, 2.6.27.
 */
export function* findExtendVma(mm: Ptr<MmStruct>, address: number): Op<Ptr<VmAreaStruct> | Null> {
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) <= address) return vma;
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_GROWSDOWN) === 0) return NULL;
  return (yield* expandStack(vma, address)) === 0 ? vma : NULL;
}

function* farEnough(below: Ptr<VmAreaStruct>, address: number): Op<boolean> {
  const flags = yield* load(VmAreaStruct.vmFlags(below));
  const accessible = (flags & (VM_READ | VM_WRITE | VM_EXEC)) !== 0;
  if ((flags & VM_GROWSDOWN) !== 0 || !accessible) return true;
  return address - (yield* load(VmAreaStruct.vmEnd(below))) >= mmOption('stackGuardGap');
}

/** *Context*: anon_vma locked. */
function* growDown(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number): Op<number> {
  const start = yield* load(VmAreaStruct.vmStart(vma));
  if (address >= start) return 0;
  if ((yield* load(VmAreaStruct.vmEnd(vma))) - address > mmOption('stackLimit')) return -ENOMEM;
  const grow = start - address;
  const pgoff = yield* load(VmAreaStruct.vmPgoff(vma));
  if (grow > pgoff) return -ENOMEM;
  yield* store(VmAreaStruct.vmStart(vma), address);
  yield* store(VmAreaStruct.vmPgoff(vma), pgoff - grow);
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) + grow);
  return 0;
}
