// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  cpuRelax,
  definePerCpuWord,
  localIrqDisable,
  localIrqEnable,
  NR_CPUS,
  preemptDisable,
  preemptEnable,
  readOnce,
  setBit,
  smpLoadAcquire,
  smpMb,
  smpProcessorId,
  smpStoreRelease,
  writeOnce,
} from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';

/*
 * Where a CPU may still use a translation that the page table no longer has. The hardware walks the page table at each access and keeps no
 * translation for the next one; but from the walk's first load to the use of the frame, a translation is in use, on a CPU that takes no
 * interrupt meanwhile. A flush is over when none that began before it is still in use: that is what the interrupt of
 * flush_tlb_others() achieves. Every flush of the kernel comes through here.
 *
 *   walker: count odd; full barrier; read the page table         flusher: clear the entry; full barrier; read the count
 *
 * so either the walker does not find the entry, or the flusher sees that the walker is at it and waits.
 */

/** Per CPU: odd while a translation is in use. */
const translations: (cpu: number) => Ref<number> = definePerCpuWord('tlb_translations');

/** Bits in a word of mm->cpu_vm_mask. */
const MASK_BITS = 32;

/**
 * The hardware begins to translate an address of this mm. Nothing but the walk and the use of the frame may come before
 * {@link endTranslation}: no lock, no sleep.
 *
 * *Ordering*: full barrier before the walk; partner: {@link flushTlbMm}.
 */
export function* beginTranslation(mm: Ptr<MmStruct>): Op<void> {
  localIrqDisable();
  preemptDisable();
  const cpu = smpProcessorId();
  const mask = MmStruct.cpuVmMask(mm, Math.floor(cpu / MASK_BITS));
  const bit = cpu % MASK_BITS;
  if (((yield* readOnce(mask)) & (1 << bit)) === 0) yield* setBit(bit, mask);
  const count = translations(cpu);
  yield* writeOnce(count, (yield* readOnce(count)) + 1);
  yield* smpMb();
}

/** The frame has been used. *Ordering*: release; partner: the acquire in {@link flushTlbMm}. */
export function* endTranslation(): Op<void> {
  const count = translations(smpProcessorId());
  yield* smpStoreRelease(count, (yield* readOnce(count)) + 1);
  preemptEnable();
  localIrqEnable();
}

/**
 * flush_tlb_mm(): no CPU uses a translation of this mm afterwards that the page table did not have when it was called.
 *
 * *Context*: any but a translation in progress; waits for other CPUs' translations, which wait for nobody.
 * *Ordering*: full barrier between the change of the page table and the look at the counts; acquire, so what was done through an old
 * translation is visible to the caller.
 * *Source*: flush_tlb_mm(), arch/x86/kernel/tlb_64.c, 2.6.27. *Differs*: waits until the other CPU is done, instead of interrupting it.
 */
export function* flushTlbMm(mm: Ptr<MmStruct>): Op<void> {
  yield* smpMb();
  for (let word = 0; word < NR_CPUS / MASK_BITS; word++) {
    const mask = yield* readOnce(MmStruct.cpuVmMask(mm, word));
    for (let bit = 0; mask >>> bit !== 0 && bit < MASK_BITS; bit++) {
      if (((mask >>> bit) & 1) !== 0) yield* waitForTranslation(word * MASK_BITS + bit);
    }
  }
}

function* waitForTranslation(cpu: number): Op<void> {
  if (cpu === smpProcessorId()) return;
  const before = yield* smpLoadAcquire(translations(cpu));
  if (before % 2 === 0) return;
  while ((yield* smpLoadAcquire(translations(cpu))) === before) yield* cpuRelax();
}

/**
 * flush_tlb_page(): {@link flushTlbMm} for one page.
 *
 * *Context*: page table lock held.
 * *Source*: flush_tlb_page(), arch/x86/kernel/tlb_64.c, 2.6.27. *Differs*: waits for translations of other pages too.
 */
export const flushTlbPage = (mm: Ptr<MmStruct>, _address: number): Op<void> => flushTlbMm(mm);
