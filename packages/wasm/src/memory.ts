// SPDX-License-Identifier: MIT
import type { Node } from 'oxc-parser';
import type { Translator } from './translator.js';
import type { Word } from './word.js';

/** Read-modify-writes of `Atomics`, and how WebAssembly calls them. */
const RMW: Readonly<Record<string, string>> = {
  add: 'add',
  sub: 'sub',
  and: 'and',
  or: 'or',
  xor: 'xor',
  exchange: 'xchg',
  compareExchange: 'cmpxchg',
};

/**
 * What an access needs to come to a word: an offset, and the byte address that it is added to. The sum of the two has 33 bits, so an address is never taken for
 * another one; a word beyond the memory is a trap.
 */
function byteAddress(t: Translator, address: Word, node: Node): string {
  if (address.type === 'bool' || address.type === 'none') throw t.refuse(node, 'an address is a number');
  if (typeof address.known === 'number' && address.known >= 0 && address.known < 2 ** 30)
    return `(i32.const ${(address.known * 4) | 0})`;
  if (address.sum !== undefined && !t.setting.checked)
    return `offset=${address.sum.plus * 4} (i32.shl ${address.sum.text} (i32.const 2))`;
  const checked = t.setting.checked ? `(call $address ${address.text})` : address.text;
  return `(i32.shl ${checked} (i32.const 2))`;
}

export const load = (t: Translator, address: Word, node: Node): Word => ({
  text: `(i32.load ${byteAddress(t, address, node)})`,
  type: 'int',
});

export const store = (t: Translator, address: Word, value: Word, node: Node): string =>
  `(i32.store ${byteAddress(t, address, node)} ${value.text})`;

/** `Atomics.<name>(words, address, ...operands)`. */
export function atomic(t: Translator, name: string, address: Word, operands: readonly Word[], node: Node): Word {
  const at = byteAddress(t, address, node);
  const words = operands.map(({ text }) => text).join(' ');
  if (name === 'load') return { text: `(i32.atomic.load ${at})`, type: 'int' };
  if (name === 'store') return { text: `(i32.atomic.store ${at} ${words})`, type: 'none' };
  if (!(name in RMW)) throw t.refuse(node, `Atomics.${name} is none of the subset: it stays in JavaScript`);
  return { text: `(i32.atomic.rmw.${RMW[name]} ${at} ${words})`, type: 'int' };
}
