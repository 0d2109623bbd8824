// SPDX-License-Identifier: MIT

/** Work space that does not outlive a check, made once for each number of events. */
export function bySize<T>(make: (size: number) => T): (size: number) => T {
  const made = new Map<number, T>();
  return (size) => {
    let found = made.get(size);
    if (found === undefined) {
      found = make(size);
      made.set(size, found);
    }
    return found;
  };
}
