// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Null, Op, Ptr, Ref, StructOf } from '@lockless/cpu';
import {
  containerOf,
  defineWord,
  functionPointer,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  rcuAssignPointer,
  rcuDereference,
  store,
  struct,
} from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import { assertThat } from '../assertion.js';

/* One object that readers find through one word, until an updater takes it back. */

export interface Item {
  value: number;
  rcu: Embed<RcuHead>;
}
export const Item: StructOf<Item> = struct<Item>('item', { value: 1, rcu: RcuHead });
export const itemCachep: KmemCache<Item> = kmemCacheCreate(Item);
const published: Ref<Ptr<Item> | Null> = defineWord('published');

/** The callback of an item. */
export const freeItem: FunctionPointer<RcuCallback> = functionPointer(
  'free_item',
  function* (head: Ptr<RcuHead>): Op<void> {
    yield* kmemCacheFree(itemCachep, containerOf(head, Item, 'rcu'));
  },
);

/** Boot: an item with value 7 that readers find. */
export function* publishItem(): Op<Ptr<Item>> {
  const item = yield* kmemCacheAlloc(itemCachep, GFP_KERNEL);
  assertThat(item !== NULL, 'setup has memory');
  yield* store(Item.value(item), 7);
  yield* rcuAssignPointer(published, item);
  return item;
}

/** Reader: the value of the item that is published, 0 when there is none. */
export function* valueOfItem(): Op<number> {
  const item = yield* rcuDereference(published);
  return item === NULL ? 0 : yield* load(Item.value(item));
}

/** Updater: no reader that begins now finds it. */
export function* unpublishItem(): Op<void> {
  yield* rcuAssignPointer(published, NULL);
}

export function assertFound(value: unknown): void {
  assertThat(value === 0 || value === 7, 'a reader finds the item as it was published, or none');
}
