// SPDX-License-Identifier: GPL-2.0-only
import { enterIdle, type Ptr, peek, poke, thisCpu } from '@lockless/cpu/native';
import { BIO_WRITE, Bio, DISK_DEVICE, EIO, ENOSPC, PAGE_SIZE, Page } from '@lockless/mm-types/native';
import type { NativeMachine } from '@lockless/native';
import { bioEndIo, setPageDirty } from '@lockless/pagecache/native';
import { FileCacheError } from './errors.js';
import { isTruncated } from './exclusion.js';
import { growStoredSize, sizeOf, storedSizeOf } from './file-sizes.js';
import { beginBytes, bytesOf, endBytes, endTransfer, setTransferrer } from './frames.js';
import { enterKernel, leaveKernel } from './kernel-section.js';
import { recordAt } from './shared-words.js';
import type { StorageFile } from './storage.js';

/*
 * The disk of the native page cache: submit_io() leaves a request here. Requests are held back until the operation waits or ends (blk_plug), so that those of
 * neighbouring pages become one call of the storage; then they are carried out asynchronously, or at once. bio_endio() is what a disk's interrupt would call.
 */

/** One page on its way between a file and a frame. */
export interface Transfer {
  readonly bio: Ptr<Bio>;
  readonly page: Ptr<Page>;
  readonly write: boolean;
  /** Number of the file's record. */
  readonly file: number;
  readonly index: number;
  /** It was handed to the storage, and ends by itself. */
  started: boolean;
  /** Settled when it is over, however it ended. */
  over: Promise<void>;
  settle: () => void;
  /** What the storage threw. */
  error: unknown;
}

/** At most so many pages in one call of the storage. */
const MAX_RUN = 64;

/** Where this thread finds the files of the storage. */
export interface OpenStorageFiles {
  /** The file of a record, to be written to if so said. */
  storageFile(record: number, write: boolean): StorageFile | Promise<StorageFile>;
}

export class Device {
  private queue: Transfer[] = [];
  private readonly inFlight = new Map<Ptr<Page>, Transfer>();
  private readonly files: OpenStorageFiles;
  /** Pages came into the cache that stand in this CPU's pagevec still. */
  fresh = false;
  /** Requests since somebody looked. */
  submitted = 0;
  /** Records whose files were found shorter than they should be. */
  readonly shrunk: Set<number> = new Set();
  /** The last error of a write, by record. */
  readonly writeErrors: Map<number, unknown> = new Map();

  constructor(files: OpenStorageFiles) {
    this.files = files;
  }

  /** submit_io(). *Context*: inside kernel code; the page is locked for a read, under writeback for a write. */
  submit(bio: Ptr<Bio>): void {
    const page = peek(Bio.page(bio));
    const write = peek(Bio.rw(bio)) === BIO_WRITE;
    setTransferrer(page, thisCpu.id + 1);
    // For whoever finds us dead.
    poke(Page.private(page), bio);
    if (!write) beginBytes(page);
    let settle = (): void => {};
    const over = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const transfer: Transfer = {
      bio,
      page,
      write,
      file: peek(Bio.ino(bio)) - 1,
      index: peek(Bio.index(bio)),
      started: false,
      over,
      settle,
      error: undefined,
    };
    this.queue.push(transfer);
    this.submitted++;
    if (!write) this.fresh = true;
    this.inFlight.set(page, transfer);
  }

  /** The transfer of a page that this thread has begun. */
  transferOf(page: Ptr<Page>): Transfer | undefined {
    return this.inFlight.get(page);
  }

  /** Whether this thread is writing pages of a file to the storage. */
  isWriting(file: number): boolean {
    for (const transfer of this.inFlight.values()) if (transfer.write && transfer.file === file) return true;
    return false;
  }

  /** Whether this thread transfers anything. */
  get isBusy(): boolean {
    return this.inFlight.size > 0;
  }

  /** Resolves when all transfers are over. */
  async idle(): Promise<void> {
    this.unplug();
    while (this.inFlight.size > 0) await Promise.all([...this.inFlight.values()].map(({ over }) => over));
  }

  /** Starts what was submitted. */
  unplug(): void {
    if (this.queue.length === 0) return;
    for (const run of this.takeRuns()) void this.start(run);
  }

  /** Carries out what was submitted. *Context*: inside kernel code. */
  unplugBlocking(): void {
    if (this.queue.length === 0) return;
    enterIdle();
    for (const run of this.takeRuns()) {
      const { transferred, error } = this.perform(run);
      this.end(run, transferred, error);
    }
  }

  private takeRuns(): Transfer[][] {
    const queue = this.queue;
    this.queue = [];
    queue.sort((a, b) => Number(a.write) - Number(b.write) || a.file - b.file || a.index - b.index);
    const runs: Transfer[][] = [];
    for (const transfer of queue) {
      transfer.started = true;
      const run = runs.at(-1);
      const last = run?.at(-1);
      const continues =
        last !== undefined &&
        last.write === transfer.write &&
        last.file === transfer.file &&
        last.index + 1 === transfer.index;
      if (run !== undefined && continues && run.length < MAX_RUN) run.push(transfer);
      else runs.push([transfer]);
    }
    return runs;
  }

  private async start(run: readonly Transfer[]): Promise<void> {
    let transferred = 0;
    let error: unknown;
    try {
      const [{ file, write, index }] = run;
      const views = this.viewsOf(run);
      const storage = await this.files.storageFile(file, write);
      if (write) transferred = views.length === 0 ? 0 : await storage.write(views, index * PAGE_SIZE);
      else transferred = await storage.read(views, index * PAGE_SIZE);
    } catch (thrown) {
      error = thrown ?? new Error('the storage failed');
    }
    await enterKernel();
    try {
      this.end(run, transferred, error);
    } finally {
      leaveKernel();
    }
  }

  private perform(run: readonly Transfer[]): { readonly transferred: number; readonly error: unknown } {
    const [{ file, write, index }] = run;
    try {
      const storage = this.files.storageFile(file, write);
      if (storage instanceof Promise || storage.blocking === undefined)
        throw new FileCacheError(
          'ERR_FILE_CACHE_MAY_NOT_BLOCK',
          'the storage has no blocking operations for this file',
        );
      const views = this.viewsOf(run);
      if (write && views.length === 0) return { transferred: 0, error: undefined };
      const transferred = write
        ? storage.blocking.write(views, index * PAGE_SIZE)
        : storage.blocking.read(views, index * PAGE_SIZE);
      return { transferred, error: undefined };
    } catch (thrown) {
      return { transferred: 0, error: thrown ?? new Error('the storage failed') };
    }
  }

  /** The frames of a run. What is written ends where the file does: a page beyond was truncated, and is not. */
  private viewsOf(run: readonly Transfer[]): Uint8Array[] {
    const [{ file, write }] = run;
    if (!write) return run.map(({ page }) => bytesOf(page));
    const size = sizeOf(recordAt(file));
    const views: Uint8Array[] = [];
    for (const { page, index } of run) {
      const bytes = Math.min(PAGE_SIZE, size - index * PAGE_SIZE);
      if (bytes <= 0) break;
      views.push(bytes === PAGE_SIZE ? bytesOf(page) : bytesOf(page).subarray(0, bytes));
    }
    return views;
  }

  /** *Context*: inside kernel code. */
  private end(run: readonly Transfer[], transferred: number, error: unknown): void {
    const [{ file, write, index }] = run;
    const record = recordAt(file);
    const end = index * PAGE_SIZE + transferred;
    if (write) {
      if (error === undefined) {
        if (transferred > 0) growStoredSize(record, end);
      } else this.writeErrors.set(file, error);
    } else if (error === undefined && transferred < run.length * PAGE_SIZE && end < storedSizeOf(record)) {
      this.shrunk.add(file);
    }
    for (const [i, transfer] of run.entries()) this.endOne(transfer, transferred - i * PAGE_SIZE, error);
  }

  private endOne(transfer: Transfer, bytes: number, error: unknown): void {
    const { page, bio, write } = transfer;
    transfer.error = error;
    if (!write) {
      if (bytes < PAGE_SIZE) bytesOf(page).fill(0, Math.max(0, bytes));
      endBytes(page);
    }
    if (write && error === undefined && wasCut(transfer, Math.max(0, bytes))) setPageDirty(page);
    poke(Page.private(page), 0);
    const stale = endTransfer(page) && !write;
    this.inFlight.delete(page);
    poke(Bio.error(bio), error !== undefined || stale ? (isNoSpace(error) ? -ENOSPC : -EIO) : 0);
    bioEndIo(bio);
    transfer.settle();
  }
}

/**
 * Whether a page has more bytes by now than were written of it, or may have again: when it was written, the file ended there, as it was being truncated, and the storage may refuse that.
 */
function wasCut({ file, index }: Transfer, bytes: number): boolean {
  const record = recordAt(file);
  return bytes < PAGE_SIZE && (isTruncated(record) || sizeOf(record) > index * PAGE_SIZE + bytes);
}

const isNoSpace = (error: unknown): boolean => (error as { readonly code?: unknown } | null)?.code === 'ENOSPC';

const noDevice = (): never => {
  throw new Error('no such device');
};

/** The disk has the number that the page cache gives it. */
export function addDisk(machine: NativeMachine, disk: (bio: Ptr<Bio>) => void): void {
  for (;;) {
    const number = machine.addDevice((bio) => (number === DISK_DEVICE ? disk(bio as Ptr<Bio>) : noDevice()));
    if (number === DISK_DEVICE) return;
    if (number > DISK_DEVICE)
      throw new FileCacheError('EINVAL', 'others have added devices to this machine before the cache');
  }
}
