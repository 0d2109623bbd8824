// SPDX-License-Identifier: GPL-2.0-only
import { current, type Op, type Ptr, peek, poke, type Ref, TaskStruct } from '@lockless/cpu';
import type { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { VM_FAULT_OOM, VM_FAULT_SIGBUS } from '@lockless/pagecache';
import type { Pte } from '@lockless/rmap';

/** One page fault on its way: what the kernel passes along as six arguments (and since 4.10 as `struct vm_fault`). */
export interface Fault {
  readonly mm: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  /** Page number. */
  readonly address: number;
  readonly write: boolean;
  /** The entry's place. The table stays: mmap_sem is held. */
  readonly pte: Ref<Pte>;
  /** The entry when it was read without the lock; nothing is done when it has changed since. */
  readonly origPte: Pte;
}

/** Any of these bits: the access cannot be tried again. */
export const VM_FAULT_ERROR: number = VM_FAULT_OOM | VM_FAULT_SIGBUS;
/** A write fault did its copy: the entry may be read-only still, if the area is. */
export const VM_FAULT_WRITE = 0x8;

/** Counts a fault in one of the `faults...` words of its mm. Nothing depends on those, so it is no access. */
export const countFault = (counter: Ref<number>): void => {
  if (peek(TaskStruct.faultsUncounted(current())) === 0) poke(counter, peek(counter) + 1);
};

/**
 * What a tracer does to the memory of the current task: its page faults are not counted, those of other tasks in the same address space
 * are.
 */
export function* withoutCountingFaults(body: () => Op<void>): Op<void> {
  const uncounted = TaskStruct.faultsUncounted(current());
  poke(uncounted, 1);
  yield* body();
  poke(uncounted, 0);
}
