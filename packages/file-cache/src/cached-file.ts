// SPDX-License-Identifier: GPL-2.0-only
import { PAGE_SIZE } from '@lockless/mm-types/native';
import { markPageAccessed, pageUptodate } from '@lockless/page/native';
import { FileCacheError } from './errors.js';
import { isSharing } from './exclusion.js';
import { bytesOf } from './frames.js';
import { leaveKernel, tryEnterKernel } from './kernel-section.js';
import { OpenFile } from './open-file.js';
import { checkPosition, findPinned } from './pages.js';
import { type Pin, unpin } from './pins.js';
import { pinSteps, readHot, readSteps } from './read.js';
import { truncateSteps } from './truncate.js';
import { PageView, RangeView } from './view.js';
import type { Steps } from './waiting.js';
import { writeSteps } from './write.js';
import { syncSteps } from './writeback.js';

/** An open file of the cache, of this thread. Positions and lengths are bytes. */
export class CachedFile extends OpenFile {
  private readonly viewReleased = (): void => {
    this.views--;
  };

  /**
   * Reads into a buffer, as Node's `filehandle.read(buffer, offset, length, position)`; without a position, or with null, from where the last such read ended.
   * Fewer bytes only at the end of the file.
   */
  async read<B extends Uint8Array>(
    buffer: B,
    offset = 0,
    length: number = buffer.byteLength - offset,
    position: number | null = null,
  ): Promise<{ readonly bytesRead: number; readonly buffer: B }> {
    const at = this.place(buffer, offset, length, position);
    let bytesRead = readHot(this, buffer, offset, length, at);
    if (bytesRead !== length) bytesRead = await this.run(() => readSteps(this, buffer, offset, length, at));
    if (position === null) this.position = at + bytesRead;
    return { bytesRead, buffer };
  }

  /** {@link read}, blocking. */
  readSync(
    buffer: Uint8Array,
    offset = 0,
    length: number = buffer.byteLength - offset,
    position: number | null = null,
  ): number {
    const at = this.place(buffer, offset, length, position);
    let bytesRead = readHot(this, buffer, offset, length, at);
    if (bytesRead !== length) bytesRead = this.runBlocking(readSteps(this, buffer, offset, length, at));
    if (position === null) this.position = at + bytesRead;
    return bytesRead;
  }

  /**
   * Reads at once what is hot in the cache, without taking a reference to any page: the fastest way to read, and the one that scales when all threads read one page.
   * *Returns* the number of bytes, or -1 when some of them are not hot: then read().
   */
  tryRead(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const at = this.place(buffer, offset, length, position);
    return Math.max(-1, readHot(this, buffer, offset, length, at));
  }

  /** Writes bytes to the cache; they reach the storage later, with fsync() at the latest. Resolves to their number. */
  async write(
    buffer: Uint8Array,
    offset = 0,
    length: number = buffer.byteLength - offset,
    position: number | null = null,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Uint8Array }> {
    const at = this.writePlace(buffer, offset, length, position);
    const bytesWritten = await this.run(() => writeSteps(this, buffer, offset, length, at));
    return { bytesWritten, buffer };
  }

  /** {@link write}, blocking. */
  writeSync(
    buffer: Uint8Array,
    offset = 0,
    length: number = buffer.byteLength - offset,
    position: number | null = null,
  ): number {
    const at = this.writePlace(buffer, offset, length, position);
    return this.runBlocking(writeSteps(this, buffer, offset, length, at));
  }

  /** A page in place, without a copy. undefined: beyond the end of the file. Release it. */
  async page(index: number): Promise<PageView | undefined> {
    checkPosition(index * PAGE_SIZE, 0);
    const hot = this.pageIfCached(index);
    if (hot !== undefined) return hot;
    const pin = await this.run(() => pinSteps(this, index, 1));
    return pin && this.pageView(index, pin);
  }

  /** {@link page}, blocking. */
  pageSync(index: number): PageView | undefined {
    checkPosition(index * PAGE_SIZE, 0);
    const hot = this.pageIfCached(index);
    if (hot !== undefined) return hot;
    const pin = this.runBlocking(pinSteps(this, index, 1));
    return pin && this.pageView(index, pin);
  }

  /** A page in place if it is in the cache. Never waits. */
  pageIfCached(index: number): PageView | undefined {
    this.mustBeOpen();
    if (index * PAGE_SIZE >= this.size || !tryEnterKernel()) return undefined;
    try {
      const pin = findPinned(this.mapping, index);
      if (pin === undefined) return undefined;
      if (pageUptodate(pin.page)) {
        markPageAccessed(pin.page);
        return this.pageView(index, pin);
      }
      unpin(pin);
      return undefined;
    } finally {
      leaveKernel();
    }
  }

  /** A range of the file in place, without a copy; shorter at the end of the file. Release it. All its frames are held: keep it small against the budget. */
  async view(offset: number, length: number): Promise<RangeView> {
    checkPosition(offset, length);
    return this.rangeView(offset, length, await this.run(() => this.pinRange(offset, length)));
  }

  /** {@link view}, blocking. */
  viewSync(offset: number, length: number): RangeView {
    checkPosition(offset, length);
    return this.rangeView(offset, length, this.runBlocking(this.pinRange(offset, length)));
  }

  /** What was written is in the storage, on its medium, when this resolves. Rejects, once, when a write failed since the last time, whoever's it was. */
  async fsync(): Promise<void> {
    await this.run(() => syncSteps(this));
  }

  /** {@link fsync}, blocking. */
  fsyncSync(): void {
    this.runBlocking(syncSteps(this));
  }

  /**
   * Makes the file shorter or, with zeros, longer: in the cache and in the storage. Writes to it, of whatever thread, come before or after it as a whole. When the storage refuses, the
   * file is as it was. Views of pages that are cut off keep their bytes.
   */
  async truncate(size = 0): Promise<void> {
    this.mustBeWritable();
    checkPosition(size, 0);
    await this.run(() => truncateSteps(this, size));
  }

  /** {@link truncate}, blocking. Not while this thread itself writes to the file, or writes pages of it back, asynchronously. */
  truncateSync(size = 0): void {
    this.mustBeWritable();
    checkPosition(size, 0);
    if (this.device.isWriting(this.number) || isSharing(this))
      throw new FileCacheError(
        'EDEADLK',
        'this thread itself writes to the file, or writes pages of it back, asynchronously: truncate() waits for that',
      );
    this.runBlocking(truncateSteps(this, size));
  }

  /** The file from `start` to before `end`, chunk by chunk: copies, so they may be kept. */
  async *chunks({
    start = 0,
    end = Number.POSITIVE_INFINITY,
    chunkSize = 65_536,
  }: ChunkOptions = {}): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    for (let at = start; at < end; ) {
      const { bytesRead, buffer } = await this.read(new Uint8Array(Math.min(chunkSize, end - at)), 0, undefined, at);
      if (bytesRead > 0) yield bytesRead < buffer.length ? buffer.subarray(0, bytesRead) : buffer;
      if (bytesRead < buffer.length) return;
      at += bytesRead;
    }
  }

  /** {@link chunks} as a stream of the web's kind; Node's is createReadStream() of the package's Node entry. */
  readable(options: ChunkOptions = {}): ReadableStream<Uint8Array> {
    const chunks = this.chunks(options);
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return();
      },
    });
  }

  private *pinRange(offset: number, length: number): Steps<Pin[]> {
    const pins: Pin[] = [];
    let complete = false;
    try {
      const first = Math.floor(offset / PAGE_SIZE);
      const end = Math.ceil((offset + length) / PAGE_SIZE);
      for (let index = first; index < end; index++) {
        const pin = yield* pinSteps(this, index, end - index);
        if (pin === undefined) break;
        pins.push(pin);
      }
      complete = true;
    } finally {
      if (!complete) for (const pin of pins) unpin(pin);
    }
    return pins;
  }

  private rangeView(offset: number, length: number, pins: readonly Pin[]): RangeView {
    const end = Math.min(offset + length, this.size);
    const views: Uint8Array[] = [];
    pins.forEach(({ page }, i) => {
      const start = (Math.floor(offset / PAGE_SIZE) + i) * PAGE_SIZE;
      const from = Math.max(0, offset - start);
      const to = Math.min(PAGE_SIZE, end - start);
      if (from < to) views.push(bytesOf(page).subarray(from, to));
    });
    this.views++;
    return new RangeView(views, pins, this.viewReleased);
  }

  private pageView(index: number, pin: Pin): PageView {
    this.views++;
    return new PageView(index, pin, this.viewReleased);
  }
}

/** What part of a file is streamed. */
export interface ChunkOptions {
  /** First byte. */
  readonly start?: number;
  /** Byte before which it ends. */
  readonly end?: number;
  readonly chunkSize?: number;
}
