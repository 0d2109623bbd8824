// SPDX-License-Identifier: MIT
import type { TrackedFile } from './files.js';
import type { Thread } from './tasks.js';

/** The file that a page-cache event of a thread is most likely about: what its system call, or its fault, is on. */
export function suspectedFile({ call, descriptors, lastFault, space }: Thread): TrackedFile | null {
  if (!call) return space.unknownMaps.findLast(({ from, to }) => lastFault >= from && lastFault < to)?.file ?? null;
  // These two write to the descriptor in their third argument, the others to that in their first.
  const at = call.name === 'copy_file_range' || call.name === 'splice' ? 2 : 0;
  return descriptors.get(call.args.int(at))?.file ?? null;
}
