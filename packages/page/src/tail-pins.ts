// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, peek, pointedFunction, poke } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';

/**
 * Where the references to a tail are counted that somebody took by get_user_pages(). Each of them is counted in the head as well, so that the
 * block stays; the tail must know its own, because after a split they are references to it alone.
 */
export interface TailPins {
  readonly name: string;
  /** Notes one more in the tail. *Context*: a reference on the head; page table lock or compound lock. */
  readonly note: (tail: Ptr<Page>) => Op<void>;
  /** One less. *Context*: compound lock. */
  readonly forget: (tail: Ptr<Page>) => Op<void>;
  /** get_page() of a page that was a tail. *Returns* false: it is none any more, nothing is done. */
  readonly get: (page: Ptr<Page>) => Op<boolean>;
  /** What stands around finding the head of a tail that is given back: an RCU read section, in the design that relies on it. */
  readonly enter: () => Op<void>;
  readonly leave: () => Op<void>;
  /**
   * Split: the tail gets a count of its own, with so many references for those who map it, and one for who splits. *Context*: compound lock.
   * *Returns* how many pins the head must not count any more.
   */
  readonly settle: (head: Ptr<Page>, tail: Ptr<Page>, mappings: number) => Op<number>;
  /** Looked at from outside, at any moment: pins that the head counts as well, and references in the tail's count that nobody can have. */
  readonly inspect: (tail: Ptr<Page>) => { readonly noted: number; readonly stray: number };
}

const selected: Ref<FunctionPointer<TailPins>> = defineWord('tail_pins');
/** *Context*: boot, before the first compound page. */
export const selectTailPins = (design: FunctionPointer<TailPins>): void => poke(selected, design);
/** The design that boot selected. */
export const tailPins = (): TailPins => pointedFunction(peek(selected));
