// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { BIO_WRITE, Bio, EIO, ENOSPC, Page } from '@lockless/mm-types';
import type { BlockMap } from './block-map.js';
import { contentOf } from './content.js';

/** The number by which a bio names a swap area instead of a file. */
export const swapDevice = (type: number): number => -1 - type;

/** What a frame that was swapped out held. */
interface SwappedContent {
  readonly identity: number;
  readonly version: number;
}
/** What a place of a swap area holds that was never written: nothing that anybody should see. */
const GARBAGE: SwappedContent = { identity: -1, version: -1 };

/**
 * The disk's platters, on the host's side: for each page of each file the version of its content. A page never written is a hole and
 * reads as version 0. Engines call {@link BackingStore.transfer} when their device is done with a request, before its interrupt.
 */
export class BackingStore implements BlockMap {
  private readonly files = new Map<number, Map<number, number>>();
  /** By device and place. */
  private readonly swapped = new Map<number, Map<number, SwappedContent>>();
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

  truncate(ino: number, first: number, end: number = Number.POSITIVE_INFINITY): void {
    const file = this.files.get(ino);
    if (file === undefined) return;
    for (const index of [...file.keys()]) if (index >= first && index < end) file.delete(index);
  }

  /** {@link transfer} by a device that fails when told so: a request with -EIO, one that writes with -ENOSPC, as a thin disk that is full. */
  service(bio: Ptr<Bio>, words: Int32Array, fails: (kind: 'eio' | 'enospc') => boolean): void {
    let error = fails('eio') ? -EIO : 0;
    if (words[Bio.rw(bio)] === BIO_WRITE && fails('enospc')) error ||= -ENOSPC;
    this.transfer(bio, words, error);
  }

  /**
   * Direct memory access: moves content between the disk and the frame that a bio names, and sets the bio's error. `error` is 0, or
   * the -errno of a request that failed: then nothing moves.
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
    const write = words[Bio.rw(bio)] === BIO_WRITE;
    if (write) this.counts.writes++;
    else this.counts.reads++;
    if (ino < 0) return this.transferSwap(page, words, write, ino, index);
    if (write) return this.write(ino, index, words[Page.contentVersion(page)]);
    words[Page.contentIdentity(page)] = contentOf(ino, index);
    words[Page.contentVersion(page)] = this.versionOf(ino, index);
  }

  /** A swap area holds anybody's bytes, so which datum it is goes along. */
  private transferSwap(page: Ptr<Page>, words: Int32Array, write: boolean, device: number, place: number): void {
    let area = this.swapped.get(device);
    if (area === undefined) {
      area = new Map();
      this.swapped.set(device, area);
    }
    if (write) {
      area.set(place, { identity: words[Page.contentIdentity(page)], version: words[Page.contentVersion(page)] });
      return;
    }
    const { identity, version } = area.get(place) ?? GARBAGE;
    words[Page.contentIdentity(page)] = identity;
    words[Page.contentVersion(page)] = version;
  }
}
