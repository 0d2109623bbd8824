// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { countVmEvent, PGFAULT } from '@lockless/page';
import { VM_FAULT_OOM } from '@lockless/pagecache';
import {
  HUGE_PMD,
  hugePmdsInUse,
  isSpecialMapping,
  pteAllocUnlessHuge,
  pteFile,
  pteMkdirty,
  pteMkyoung,
  pteNone,
  ptePresent,
  ptepSetAccessFlags,
  pteWrite,
  readPte,
} from '@lockless/rmap';
import { handleHugeFault, NOT_HUGE } from './huge-fault.js';
import { doAnonymousPage } from './memory-anonymous.js';
import { doWpPage } from './memory-cow.js';
import { doLinearFault, doNonlinearFault } from './memory-fault.js';
import { doSwapPage } from './memory-swap.js';
import { countFault, type Fault } from './vm-fault.js';

/**
 * handle_mm_fault(): makes the page at `address` accessible in the way asked for, as far as the area allows.
 *
 * *Context*: mmap_sem held for reading at least; `vma` contains `address` and permits the access. Sleeps.
 * *Returns* VM_FAULT_* bits: 0 or VM_FAULT_MAJOR when the access can be tried again, else VM_FAULT_OOM or VM_FAULT_SIGBUS. VM_FAULT_WRITE
 * says that a copy-on-write is done although the entry may be read-only.
 * *Source*: `handle_mm_fault`, mm/memory.c, 2.6.27.
 */
export function* handleMmFault(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number, write: boolean): Op<number> {
  yield* countVmEvent(PGFAULT);
  if (hugePmdsInUse()) {
    const huge = yield* handleHugeFault(mm, vma, address, write);
    if (huge !== NOT_HUGE) return huge;
  }
  const pte = yield* pteAllocUnlessHuge(mm, address);
  if (pte === NULL) return VM_FAULT_OOM;
  // Another thread's fault has mapped a huge page just now.
  if (pte === HUGE_PMD) return 0;
  const origPte = yield* readPte(pte);
  return yield* handlePteFault({ mm, vma, address, write, pte, origPte });
}

/**
 * handle_pte_fault(): the entry decides which fault it is.
 *
 * The entry was read without the lock; whoever changes it re-reads it under the lock first (pte_same).
 * *Source*: `handle_pte_fault`, mm/memory.c, 2.6.27. */
function* handlePteFault(fault: Fault): Op<number> {
  const { mm, vma, address, write, pte, origPte } = fault;
  if (!ptePresent(origPte)) {
    if (pteFile(origPte)) return yield* doNonlinearFault(fault);
    if (!pteNone(origPte)) return yield* doSwapPage(fault);
    if ((yield* load(VmAreaStruct.vmFile(vma))) !== NULL || (yield* isSpecialMapping(vma)))
      return yield* doLinearFault(fault);
    return yield* doAnonymousPage(fault);
  }
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* readOnce(pte);
  if (entry === origPte) {
    if (write && !pteWrite(entry)) return yield* doWpPage(fault);
    yield* ptepSetAccessFlags(mm, address, pte, pteMkyoung(write ? pteMkdirty(entry) : entry));
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  countFault(MmStruct.faultsSpurious(mm));
  return 0;
}
