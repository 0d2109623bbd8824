// SPDX-License-Identifier: GPL-2.0-only

/**
 * What a file system knows of its files' blocks without reading them: the part of its metadata that a page cache needs. Nobody models
 * that metadata or its I/O here, so the disk (see backing-store.ts) answers on the host's side.
 */
export interface BlockMap {
  /** Version of the content on disk; 0: a hole, reads as zeros. */
  readonly versionOf: (ino: number, index: number) => number;
  /** Frees the blocks from page `first` on, or up to before page `end`. */
  readonly truncate: (ino: number, first: number, end?: number) => void;
}

const NO_BLOCKS: BlockMap = { versionOf: () => 0, truncate: () => undefined };

/** The machine's disk. One machine runs at a time, and its boot attaches its own. */
let attached: BlockMap = NO_BLOCKS;

/** Attaches the disk's block map; null: none. Boot code calls it for each machine. */
export function attachBlockMap(blocks: BlockMap | null): void {
  attached = blocks ?? NO_BLOCKS;
}

export const versionOnDisk = (ino: number, index: number): number => attached.versionOf(ino, index);
export const freeBlocks = (ino: number, first: number, end?: number): void => attached.truncate(ino, first, end);
