// SPDX-License-Identifier: GPL-2.0-only
import { FileCacheError } from './errors.js';
import { bytesOf } from './frames.js';
import { insideOrLater } from './kernel-section.js';
import { type Pin, unpin } from './pins.js';

const released = (): never => {
  throw new FileCacheError(
    'ERR_FILE_CACHE_VIEW_RELEASED',
    'this view was released: its frame may hold another page by now',
  );
};

/** What is pinned, until it is released: once. */
class Pinned {
  private pins: readonly Pin[] | null;
  /** Told when they are given back. */
  private readonly onRelease: () => void;

  constructor(pins: readonly Pin[], onRelease: () => void) {
    this.pins = pins;
    this.onRelease = onRelease;
  }

  get isReleased(): boolean {
    return this.pins === null;
  }

  /** Gives the frames back. Throws when they were given back before. */
  release(): void {
    const pins = this.pins ?? released();
    this.pins = null;
    this.onRelease();
    insideOrLater(() => {
      for (const pin of pins) unpin(pin);
    });
  }

  [Symbol.dispose](): void {
    if (!this.isReleased) this.release();
  }
}

/**
 * A page of a file in place, without a copy: the frame is not reclaimed until the view is released. It shows the file as it is, so writes of others show up in it, as
 * in a shared mapping. Bytes beyond the end of the file are zero.
 */
export class PageView extends Pinned {
  /** Index of the page in the file. */
  readonly index: number;
  private readonly view: Uint8Array;

  constructor(index: number, pin: Pin, onRelease: () => void) {
    super([pin], onRelease);
    this.index = index;
    this.view = bytesOf(pin.page);
  }

  /** The 4096 bytes, over shared memory. To be read only: write() writes. Throws after the release; what was taken out before must not be used either. */
  get bytes(): Uint8Array {
    return this.isReleased ? released() : this.view;
  }
}

/** A range of a file in place: as {@link PageView}, of several pages, which do not lie side by side. */
export class RangeView extends Pinned {
  /** Bytes; fewer than were asked for at the end of the file. */
  readonly length: number;
  private readonly views: readonly Uint8Array[];

  constructor(views: readonly Uint8Array[], pins: readonly Pin[], onRelease: () => void) {
    super(pins, onRelease);
    this.views = views;
    this.length = views.reduce((sum, { length }) => sum + length, 0);
  }

  /** The bytes, page by page. Throws after the release. */
  get chunks(): readonly Uint8Array[] {
    return this.isReleased ? released() : this.views;
  }

  /** A copy of all bytes, to keep. */
  copy(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}
