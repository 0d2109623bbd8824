// SPDX-License-Identifier: GPL-2.0-only
import { AddressSpace, Page, RadixTreeNode, RadixTreeRoot } from '@lockless/mm-types';

/*
 * find_get_page(), put_page() and what is built on them as WebAssembly text, over the same words: what a compiler of the native source would write
 * for them. Offsets come from the structs, so a change of a layout comes through here. Word addresses are shifted to bytes where memory is touched.
 */

const PAGE_TREE = AddressSpace.$offset.pageTree;
const BYTES = 4;
const RNODE = (PAGE_TREE + RadixTreeRoot.$offset.rnode) * BYTES;
const HEIGHT = RadixTreeNode.$offset.height * BYTES;
const SLOTS = RadixTreeNode.$offset.slots * BYTES;
const COUNT = Page.$offset._count * BYTES;
const CONTENT = Page.$offset.contentIdentity * BYTES;

/** One more in a counter of this thread's. */
const increment = (counter: string): string => `
  (i32.store (global.get $${counter}) (i32.add (i32.load (global.get $${counter})) (i32.const 1)))`;

/** How a reader says that it is one: `mb` by a word and a barrier (urcu-mb), `qsbr` not at all: its thread says now and then that it is none. */
type Reader = 'mb' | 'qsbr';

/** rcu_read_lock(): the exchange is store and full barrier in one. */
const READ_LOCK = `
  (if (i32.and (local.tee $own (i32.load (global.get $reader))) (i32.const 0xffff))
    (then (i32.store (global.get $reader) (i32.add (local.get $own) (i32.const 1))))
    (else (drop (i32.atomic.rmw.xchg (global.get $reader) (i32.load (global.get $gracePeriod))))))`;

const READ_UNLOCK = `
  (if (i32.le_u (i32.and (local.tee $own (i32.load (global.get $reader))) (i32.const 0xffff)) (i32.const 1))
    (then (i32.atomic.store (global.get $reader) (i32.const 0)))
    (else (i32.store (global.get $reader) (i32.sub (local.get $own) (i32.const 1)))))`;

/** radix_tree_lookup_slot(): leaves the slot's byte address in $slot, 0 when the index has no item. */
const LOOKUP_SLOT = `
  (local.set $slot (i32.const 0))
  (block $found
    (local.set $entry (i32.load offset=${RNODE} (local.get $root)))
    (if (i32.eqz (i32.and (local.get $entry) (i32.const 1)))
      (then
        (if (i32.and (i32.ne (local.get $entry) (i32.const 0)) (i32.eqz (local.get $index)))
          (then (local.set $slot (i32.add (local.get $root) (i32.const ${RNODE})))))
        (br $found)))
    (local.set $node (i32.shl (i32.and (local.get $entry) (i32.const -2)) (i32.const 2)))
    (local.set $shift (i32.mul (i32.load offset=${HEIGHT} (local.get $node)) (i32.const 6)))
    (br_if $found (i32.and
      (i32.lt_u (local.get $shift) (i32.const 32))
      (i32.ne (i32.shr_u (local.get $index) (local.get $shift)) (i32.const 0))))
    (loop $down
      (local.set $shift (i32.sub (local.get $shift) (i32.const 6)))
      (local.set $at (i32.add (i32.add (local.get $node) (i32.const ${SLOTS}))
        (i32.shl (i32.and (i32.shr_u (local.get $index) (local.get $shift)) (i32.const 63)) (i32.const 2))))
      (br_if $found (i32.eqz (local.tee $entry (i32.load (local.get $at)))))
      (if (i32.eqz (local.get $shift)) (then (local.set $slot (local.get $at)) (br $found)))
      (local.set $node (i32.shl (i32.and (local.get $entry) (i32.const -2)) (i32.const 2)))
      (br $down)))`;

const LOCALS = `
  (local $own i32) (local $slot i32) (local $entry i32) (local $node i32) (local $shift i32) (local $at i32)
  (local $page i32) (local $seen i32) (local $before i32) (local $content i32)`;

/** The body of find_get_page(), from $root (bytes) and $index to $page (a word address, or 0). */
const findGetPage = (reader: Reader): string => `
  ${increment('lookups')}
  ${reader === 'mb' ? READ_LOCK : ''}
  (local.set $page (i32.const 0))
  (block $done
    (loop $repeat
      ${LOOKUP_SLOT}
      (br_if $done (i32.eqz (local.get $slot)))
      ;; 1. find the page
      (local.set $page (i32.load (local.get $slot)))
      (br_if $repeat (i32.or (i32.eqz (local.get $page)) (i32.and (local.get $page) (i32.const 1))))
      ;; 2. a reference, unless there is none
      (local.set $at (i32.add (i32.shl (local.get $page) (i32.const 2)) (i32.const ${COUNT})))
      (local.set $seen (i32.load (local.get $at)))
      (block $got
        (loop $again
          (if (i32.eqz (local.get $seen)) (then ${increment('refused')} (br $repeat)))
          (local.set $before (i32.atomic.rmw.cmpxchg (local.get $at) (local.get $seen) (i32.add (local.get $seen) (i32.const 1))))
          (br_if $got (i32.eq (local.get $before) (local.get $seen)))
          (local.set $seen (local.get $before))
          (br $again)))
      ;; 3. is it still there?
      (br_if $done (i32.eq (i32.load (local.get $slot)) (local.get $page)))
      ${increment('moved')}
      (call $put_page (local.get $page))
      (br $repeat)))
  (if (i32.eqz (local.get $slot)) (then (local.set $page (i32.const 0))))
  ${reader === 'mb' ? READ_UNLOCK : ''}`;

/** The body of a look without a reference, from $root (bytes) and $index to $content. */
const peekPage = (reader: Reader): string => `
  ${reader === 'mb' ? READ_LOCK : ''}
  (block $done
    (loop $repeat
      (local.set $content (i32.const 0))
      ${LOOKUP_SLOT}
      (br_if $done (i32.eqz (local.get $slot)))
      (local.set $page (i32.load (local.get $slot)))
      (br_if $repeat (i32.or (i32.eqz (local.get $page)) (i32.and (local.get $page) (i32.const 1))))
      (local.set $content (i32.load offset=${CONTENT} (i32.shl (local.get $page) (i32.const 2))))
      (br_if $repeat (i32.ne (i32.load (local.get $slot)) (local.get $page)))))
  ${reader === 'mb' ? READ_UNLOCK : ''}`;

/** Does something for each of $n indices from the word address $indices on, and adds up $content. */
const forEachIndex = (body: string): string => `
  (local.set $root (i32.shl (local.get $root) (i32.const 2)))
  (local.set $indices (i32.shl (local.get $indices) (i32.const 2)))
  (local.set $end (i32.add (local.get $indices) (i32.shl (local.get $n) (i32.const 2))))
  (block $over
    (loop $next
      (br_if $over (i32.ge_u (local.get $indices) (local.get $end)))
      (local.set $index (i32.load (local.get $indices)))
      ${body}
      (local.set $sum (i32.add (local.get $sum) (local.get $content)))
      (local.set $indices (i32.add (local.get $indices) (i32.const 4)))
      (br $next)))
  (local.get $sum)`;

const BATCH = `(param $root i32) (param $indices i32) (param $n i32) (result i32) (local $index i32) (local $end i32) (local $sum i32) ${LOCALS}`;

const sumUp = (access: string): string => `(local.set $sum (i32.add (local.get $sum) ${access}))`;
/** One access again and again, on one word. */
const MANY: Readonly<Record<string, string>> = {
  loads: sumUp('(i32.atomic.load (local.get $word))'),
  stores: '(i32.atomic.store (local.get $word) (local.get $n))',
  adds: sumUp('(i32.atomic.rmw.add (local.get $word) (i32.const 1))'),
  exchanges: sumUp('(i32.atomic.rmw.xchg (local.get $word) (local.get $n))'),
};

/** Find, read what the page holds, put it. */
const readPage = (reader: Reader): string => `
  ${findGetPage(reader)}
  (local.set $content (i32.const 0))
  (if (local.get $page)
    (then
      (local.set $content (i32.load offset=${CONTENT} (i32.shl (local.get $page) (i32.const 2))))
      (call $put_page (local.get $page))))`;

/** Functions that do all of a lookup, for one index and for a list of them, with a reference and without. */
const wholeLookups = (reader: Reader, suffix: string): string =>
  Object.entries({ read: readPage(reader), peek: peekPage(reader) })
    .map(
      ([name, body]) => `
(func (export "${name}Page${suffix}") (param $root i32) (param $index i32) (result i32) ${LOCALS}
  (local.set $root (i32.shl (local.get $root) (i32.const 2)))
  ${body}
  (local.get $content))
(func (export "${name}Pages${suffix}") ${BATCH}
  ${forEachIndex(body)})`,
    )
    .join('\n');

export const LOOKUP_WAT: string = `(module
(import "machine" "words" (memory 1 65536 shared))
(import "machine" "freePage" (func $free_page (param i32)))
${['gracePeriod', 'reader', 'lookups', 'refused', 'moved'].map((name) => `(import "machine" "${name}" (global $${name} i32))`).join('\n')}

(func $put_page (export "putPage") (param $page i32)
  (if (i32.eq (i32.atomic.rmw.sub offset=${COUNT} (i32.shl (local.get $page) (i32.const 2)) (i32.const 1)) (i32.const 1))
    (then (call $free_page (local.get $page)))))

(func (export "findGetPage") (param $root i32) (param $index i32) (result i32) ${LOCALS}
  (local.set $root (i32.shl (local.get $root) (i32.const 2)))
  ${findGetPage('mb')}
  (local.get $page))

${wholeLookups('mb', '')}
${wholeLookups('qsbr', 'Quiet')}

;; What a call costs, and what single accesses cost, from JavaScript.
(func (export "call") (param $x i32) (result i32) (local.get $x))
(func (export "load") (param $word i32) (result i32) (i32.load (i32.shl (local.get $word) (i32.const 2))))
(func (export "atomicAdd") (param $word i32) (result i32) (i32.atomic.rmw.add (i32.shl (local.get $word) (i32.const 2)) (i32.const 1)))
;; And inside.
${Object.entries(MANY)
  .map(
    ([name, body]) => `
(func (export "${name}") (param $word i32) (param $n i32) (result i32) (local $sum i32)
  (local.set $word (i32.shl (local.get $word) (i32.const 2)))
  (loop $next
    ${body}
    (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $sum))`,
  )
  .join('')}
)`;
