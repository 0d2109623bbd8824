// SPDX-License-Identifier: MIT
import { PAGE_LIMIT, PAGE_SIZE } from '../codec.js';
import type { UserBuffer } from '../format.js';
import type { BufferRule } from './syscalls.js';
import type { CallContext } from './tasks.js';

/** Lengths that a program passed may be anything; the format holds exact integers. */
export function length(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** The page of a byte address, 0 for one that no user mapping can have. */
export function pageOf(address: number): number {
  const page = Math.floor(address / PAGE_SIZE);
  return page < PAGE_LIMIT ? page : 0;
}

/** User memory at an address: nothing for a null pointer, an address out of range, or no bytes. */
export function userBuffer(address: number, bytes: number): UserBuffer[] {
  if (address === 0 || bytes <= 0 || address + bytes > PAGE_LIMIT * PAGE_SIZE) return [];
  const offset = address % PAGE_SIZE;
  return [{ page: (address - offset) / PAGE_SIZE, offset, length: bytes }];
}

export function buffersOf(rules: readonly BufferRule[] | undefined, call: CallContext): UserBuffer[] {
  return (rules ?? []).flatMap(({ at, length: rule }) => {
    const bytes = rule === 'result' ? call.result : typeof rule === 'number' ? rule : sizedBy(call, rule);
    return userBuffer(call.args.at(at), bytes);
  });
}

function sizedBy(call: CallContext, { arg, each = 1 }: { arg: number; each?: number }): number {
  return Math.max(0, call.args.int(arg)) * each;
}
