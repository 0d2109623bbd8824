// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { BIO_WRITE, Bio, Page } from '@lockless/mm-types';
import type { BlockMap } from './block-map.js';
import { contentOf } from './content.js';

/**
 * The disk's platters, on the host's side: for each page of each file the version of its content. A page never written is a hole and
 * reads as version 0. Engines call {@link BackingStore.transfer} when their device is done with a request, before its interrupt.
 */
export class BackingStore implements BlockMap {
  private readonly files = new Map<number, Map<number, number>>();
  /** Requests transferred, pages each. */
  readonly counts: { reads: number; writes: number; errors: number } = { reads: 0, writes: 0, errors: 0 };

  versionOf(ino: number, index: number): number {
    return this.files.get(ino)?.get(index) ?? 0;
  }

  /** Puts content on the disk: what a file held before the machine was switched on. */
  write(ino: number, index: number, version: number): void {
    let file = this.files.get(ino);
    if (file === undefined) {
      file = new Map();
      this.files.set(ino, file);
    }
    file.set(index, version);
  }

  truncate(ino: number, first: number): void {
    const file = this.files.get(ino);
    if (file === undefined) return;
    for (const index of [...file.keys()]) if (index >= first) file.delete(index);
  }

  /**
   * Direct memory access: moves content between the disk and the frame that a bio names, and sets the bio's error. `error` is 0, or
   * -EIO for a request that failed: then nothing moves.
   */
  transfer(bio: Ptr<Bio>, words: Int32Array, error = 0): void {
    words[Bio.error(bio)] = error;
    if (error !== 0) {
      this.counts.errors++;
      return;
    }
    const page = words[Bio.page(bio)] as Ptr<Page>;
    const ino = words[Bio.ino(bio)];
    const index = words[Bio.index(bio)];
    if (words[Bio.rw(bio)] === BIO_WRITE) {
      this.counts.writes++;
      this.write(ino, index, words[Page.contentVersion(page)]);
      return;
    }
    this.counts.reads++;
    words[Page.contentIdentity(page)] = contentOf(ino, index);
    words[Page.contentVersion(page)] = this.versionOf(ino, index);
  }
}
