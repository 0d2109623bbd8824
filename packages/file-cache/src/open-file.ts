// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import { type AddressSpace, type File, PAGE_SIZE } from '@lockless/mm-types/native';
import type { Device } from './device.js';
import { FileCacheError } from './errors.js';
import { isHalfTruncated } from './exclusion.js';
import { SeenSize } from './file-sizes.js';
import { closeFile, mappingOf, type OpenEntry } from './file-table.js';
import type { Memory } from './memory.js';
import { checkPosition, type PagedFile } from './pages.js';
import { type FileRecord, recordAt } from './shared-words.js';
import type { OpenFlags, StorageFile } from './storage.js';
import type { Runner } from './thread.js';
import { finishTruncation } from './truncate.js';
import type { Steps } from './waiting.js';
import { hasDirt, refreshVersion, writeBack } from './writeback.js';

/** What a file is made of; for FileCache. */
export interface CachedFileParts {
  readonly path: string;
  readonly flags: OpenFlags;
  readonly number: number;
  readonly open: OpenEntry;
  readonly storage: StorageFile;
  readonly runner: Runner;
  readonly memory: Memory;
  readonly onClose: () => void;
}

/** An open file of this thread: what it is, whether it is open, what of it is going on, and how it is closed. */
export class OpenFile implements PagedFile {
  readonly path: string;
  readonly number: number;
  readonly record: Ptr<FileRecord>;
  readonly mapping: Ptr<AddressSpace>;
  readonly seenSize: SeenSize;
  readonly file: Ptr<File>;
  readonly device: Device;
  readonly storage: StorageFile;
  readonly memory: Memory;
  /** Whether it may be written to. */
  readonly writable: boolean;
  protected readonly parts: CachedFileParts;
  private state: 'open' | 'closing' | 'closed' = 'open';
  private operations = 0;
  /** Views that are not released. */
  protected views = 0;
  /** Where reads and writes without a position go on. */
  protected position = 0;

  constructor(parts: CachedFileParts) {
    this.parts = parts;
    this.path = parts.path;
    this.number = parts.number;
    this.record = recordAt(parts.number);
    this.mapping = mappingOf(this.record);
    this.seenSize = new SeenSize(this.record);
    this.file = parts.open.file;
    this.device = parts.runner.device;
    this.storage = parts.storage;
    this.memory = parts.memory;
    this.writable = parts.flags.write;
  }

  /** Bytes that the file has, with what was written to the cache. */
  get size(): number {
    return this.seenSize.now();
  }

  /** Pages that the file has. */
  get pages(): number {
    return Math.ceil(this.size / PAGE_SIZE);
  }

  get isClosed(): boolean {
    return this.state !== 'open';
  }

  /**
   * Closes the file. One that is open for writing has its dirty pages written to the storage first; pages stay in the cache. Rejects when that fails, and with views of it that are
   * not released.
   */
  async close(): Promise<void> {
    if (this.state !== 'open') return;
    if (this.views > 0) throw new FileCacheError('EBUSY', `${this.views} views of ${this.path} are not released`);
    this.state = 'closing';
    while (this.operations > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    let failure: { readonly error: unknown } | undefined;
    try {
      if (this.writable) await this.parts.runner.run(this.writeLast());
    } catch (error) {
      failure = { error };
    }
    await this.device.idle();
    await this.parts.runner.run(this.closeSteps());
    this.state = 'closed';
    this.parts.onClose();
    await this.storage.close();
    if (failure !== undefined) throw failure.error;
  }

  /** What opening it began comes to nothing: it is closed, but for the storage's file. *Context*: inside kernel code. */
  abandon(): void {
    this.state = 'closed';
    closeFile(this.number, this.parts.open);
    this.parts.onClose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Whoever wrote a page has the file open to write, and closes it after that: so nothing dirty is left when nobody has; nor half truncated. */
  private *writeLast(): Steps<void> {
    if (isHalfTruncated(this.record)) yield* finishTruncation(this);
    if (!hasDirt(this.mapping)) return;
    yield* writeBack(this);
    yield* refreshVersion(this);
  }

  private *closeSteps(): Steps<void> {
    closeFile(this.number, this.parts.open);
  }

  protected async run<T>(steps: () => Steps<T>): Promise<T> {
    this.mustBeOpen();
    this.operations++;
    try {
      return await this.parts.runner.run(steps());
    } finally {
      this.operations--;
    }
  }

  protected runBlocking<T>(steps: Steps<T>): T {
    this.mustBeOpen();
    return this.parts.runner.runBlocking(steps);
  }

  protected mustBeOpen(): void {
    if (this.state !== 'open') throw new FileCacheError('EBADF', `${this.path} is closed`);
  }

  protected mustBeWritable(): void {
    this.mustBeOpen();
    if (!this.writable) throw new FileCacheError('EBADF', `${this.path} is not open for writing`);
  }

  /** Checks what a read or write was asked for. *Returns* where it begins. */
  protected place(buffer: Uint8Array, offset: number, length: number, position: number | null): number {
    this.mustBeOpen();
    const at = position ?? this.position;
    // A quick look first, as most are right.
    if (
      at < 2 ** 31 &&
      at >= 0 &&
      length >= 0 &&
      offset >= 0 &&
      offset + length <= buffer.length &&
      isInt(at, length, offset)
    )
      return at;
    checkPosition(at, length);
    if (!Number.isInteger(offset) || offset < 0 || offset + length > buffer.byteLength)
      throw new FileCacheError(
        'EINVAL',
        `${length} bytes from ${offset} on are not within a buffer of ${buffer.byteLength}`,
      );
    return at;
  }

  /** As {@link place}, for a write. null: at the end of the file, wherever that is when the write begins. */
  protected writePlace(buffer: Uint8Array, offset: number, length: number, position: number | null): number | null {
    this.mustBeWritable();
    const at = this.place(buffer, offset, length, position);
    if (this.parts.flags.append) return null;
    if (position === null) this.position = at + length;
    return at;
  }
}

const isInt = (at: number, length: number, offset: number): boolean =>
  (at | 0) === at && (length | 0) === length && (offset | 0) === offset;
