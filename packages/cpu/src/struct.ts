// SPDX-License-Identifier: MIT
import type { Embed, Ptr, Ref, Vec } from './word.js';

/** Given a `Ptr<S>`, the address of field `V`: `&p->field`. */
export type Accessor<S, V> = [V] extends [Embed<infer T>]
  ? (p: Ptr<S>) => Ptr<T>
  : [V] extends [Vec<infer E>]
    ? (p: Ptr<S>, index: number) => Ref<E>
    : (p: Ptr<S>) => Ref<V>;

/** What is known of a struct at run time: names and offsets, in words. */
export interface Layout {
  readonly $name: string;
  /** Size in words. */
  readonly $size: number;
  /** Field name to offset in words, in declaration order. */
  readonly $offset: Readonly<Record<string, number>>;
  /** Layouts of the fields that are structs themselves. */
  readonly $embedded: Readonly<Record<string, Layout>>;
}

/** Field accessors of `S` plus its layout. `Page.flags(page)` is `&page->flags`. */
export type StructOf<S> = { readonly [K in keyof S]: Accessor<S, S[K]> } & Layout;

/** Size of one field in words: a number, or the struct embedded there. */
export type FieldSize = number | Layout;

/**
 * Declares the layout of a struct: fields in order, one word each unless stated.
 *
 * ```ts
 * interface Point { x: number; y: number }
 * const Point: StructOf<Point> = struct<Point>('point', { x: 1, y: 1 });
 * ```
 * `alignTo` (words) rounds the size up, so that array elements do not share a cache line.
 */
export function struct<S>(name: string, fields: { readonly [K in keyof S]: FieldSize }, alignTo = 1): StructOf<S> {
  const offsets: Record<string, number> = {};
  const embedded: Record<string, Layout> = {};
  const accessors: Record<string, (p: number, index?: number) => number> = {};
  let size = 0;
  for (const [field, fieldSize] of Object.entries<FieldSize>(fields)) {
    const offset = size;
    const words = typeof fieldSize === 'number' ? fieldSize : fieldSize.$size;
    offsets[field] = offset;
    if (typeof fieldSize !== 'number') embedded[field] = fieldSize;
    accessors[field] = words > 1 ? (p, index = 0) => p + offset + index : (p) => p + offset;
    size += words;
  }
  const layout: Layout = {
    $name: name,
    $size: Math.ceil(size / alignTo) * alignTo,
    $offset: offsets,
    $embedded: embedded,
  };
  return Object.assign(accessors, layout) as unknown as StructOf<S>;
}

/** The struct that contains an embedded one: `container_of(ptr, type, member)`. */
export function containerOf<S>(ptr: Ptr<unknown>, type: StructOf<S>, member: keyof S & string): Ptr<S> {
  return (ptr - type.$offset[member]) as Ptr<S>;
}

/** The field that lies `offset` words into a struct, as C would write it: `data.treeLock`, `slots[3]`. Empty for a struct without fields. */
export function fieldAt(layout: Layout, offset: number): string {
  const found = Object.entries(layout.$offset)
    .filter(([, start]) => start <= offset)
    .at(-1);
  if (found === undefined) return '';
  const [name, start] = found;
  const inner = layout.$embedded[name];
  if (inner !== undefined) return `${name}.${fieldAt(inner, offset - start)}`;
  return offset === start ? name : `${name}[${offset - start}]`;
}
