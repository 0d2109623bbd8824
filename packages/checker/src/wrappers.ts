// SPDX-License-Identifier: MIT

/** cpu's wrappers around one primitive, and assertions: what is wrong is wrong in their caller. */
const WRAPPER =
  /^(raw|spin|read|write)\w*(Lock|Unlock|Trylock)\w*$|^schedule$|^condResched$|^bugOn$|^vmBugOn$|^bug$|^assert(That)?$/;

export const isWrapper = (name: string): boolean => WRAPPER.test(name);

/** Frames of kernel functions, innermost first, from the first that is more than a wrapper around a primitive. */
export function withoutWrappers<F extends { readonly name: string }>(frames: readonly F[]): readonly F[] {
  const named = frames.filter(({ name }) => name !== '');
  const first = named.findIndex(({ name }) => !isWrapper(name));
  return first < 0 ? named : named.slice(first);
}
