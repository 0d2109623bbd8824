// SPDX-License-Identifier: MIT

/** Brands exist in the type system only; at run time a pointer is a word index and a word is a 32-bit integer. */
declare const pointee: unique symbol;
declare const content: unique symbol;

/** Address of a `T` in word memory (an index of 32-bit words, never 0). */
export type Ptr<T> = number & { readonly [pointee]: T };

/** The address of one word that holds a `V`, as C's `&p->field`. */
export type Ref<V> = number & { readonly [content]: V };

/** The null pointer, and the type that only it has. */
export const NULL = 0 as const;
export type Null = typeof NULL;

/** A field that is itself a struct, as `struct list_head lru` inside `struct page`. */
export interface Embed<T> {
  readonly embedded: T;
}

/** A field that is an array of words. */
export interface Vec<V> {
  readonly elements: V;
}

/** Words below this address belong to nobody: touching one is a null pointer dereference. */
export const NULL_GUARD_WORDS = 64;

/** CPUs that per-CPU data has room for. */
export const NR_CPUS = 64;

/** Words in a cache line of 64 bytes; what different CPUs write should not share one. */
export const CACHE_LINE_WORDS = 16;
