// SPDX-License-Identifier: GPL-2.0-only
import { GFP_ATOMIC, KernelBug, omitGuards, type Ptr, thisCpu } from '@lockless/cpu';
import { Page, PG_NONEWREFS } from '@lockless/mm-types';
import { describe, expect, it } from 'vitest';
import { allocPage, endPageNoNewRefs, setPageNoNewRefs, waitOnNewRefs } from '../src/index.js';
import { bootOneCpu } from './sequential.js';

/** A machine with a page, the primitives that code on it makes from now on, and the CPU's preemption count after it. */
function machine(without: readonly string[] = []) {
  let trace: string[] = [];
  const one = bootOneCpu({}, { onAccess: (name) => trace.push(name) });
  const page = one.run(allocPage(GFP_ATOMIC)) as Ptr<Page>;
  one.look(() => omitGuards(without));
  const step = (op: typeof setPageNoNewRefs) => {
    trace = [];
    one.run(op(page));
    const flagged = (one.engine.words[Page.flags(page)] & (1 << PG_NONEWREFS)) !== 0;
    return { trace, flagged, preemptCount: one.look(() => thisCpu.preemptCount) };
  };
  return { step };
}

describe('PG_nonewrefs', () => {
  it('is set before a full barrier and cleared after a write barrier, and preemption is off in between', () => {
    const { step } = machine();
    expect(step(setPageNoNewRefs)).toEqual({
      trace: ['READ_ONCE', 'set_bit', 'smp_mb'],
      flagged: true,
      preemptCount: 1,
    });
    expect(step(endPageNoNewRefs)).toEqual({
      trace: ['READ_ONCE', 'smp_wmb', 'clear_bit'],
      flagged: false,
      preemptCount: 0,
    });
    expect(step(waitOnNewRefs).trace).toEqual(['READ_ONCE']);
  });

  it('without its guards has the barrier of the patch, and leaves preemption on', () => {
    const { step } = machine(['setPageNoNewRefs.fullBarrier', 'setPageNoNewRefs.preemptOff']);
    expect(step(setPageNoNewRefs)).toEqual({
      trace: ['READ_ONCE', 'set_bit', 'smp_wmb'],
      flagged: true,
      preemptCount: 0,
    });
    expect(step(endPageNoNewRefs).preemptCount).toBe(0);
  });

  it('is set and cleared in turns', () => {
    const { step } = machine();
    expect(() => step(endPageNoNewRefs)).toThrow(KernelBug);
    step(setPageNoNewRefs);
    expect(() => step(setPageNoNewRefs)).toThrow('PageNoNewRefs(page)');
  });
});
