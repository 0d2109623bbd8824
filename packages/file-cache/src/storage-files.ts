// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek } from '@lockless/cpu/native';
import type { CachedFile } from './cached-file.js';
import type { OpenStorageFiles } from './device.js';
import { FileCacheError } from './errors.js';
import { pathOf } from './file-table.js';
import { FileRecord, recordAt } from './shared-words.js';
import type { OpenFlags, Storage, StorageFile, StorageStat } from './storage.js';

const READ_WRITE: OpenFlags = { write: true, create: false, exclusive: false, truncate: false, append: false };

const isSame = (record: Ptr<FileRecord>, { inode, device }: StorageStat): boolean =>
  peek(FileRecord.numberLow(record)) === Number(BigInt.asIntN(32, inode)) &&
  peek(FileRecord.deviceLow(record)) === Number(BigInt.asIntN(32, device));

/** The files that this thread has open, by record; and those that it had to open by itself, to write pages whose writers are gone. */
export class StorageFiles implements OpenStorageFiles {
  private readonly storage: Storage;
  private readonly files = new Map<number, Set<CachedFile>>();
  private readonly own = new Map<number, Promise<StorageFile>>();

  constructor(storage: Storage) {
    this.storage = storage;
  }

  add(file: CachedFile): void {
    const same = this.files.get(file.number);
    if (same === undefined) this.files.set(file.number, new Set([file]));
    else same.add(file);
  }

  remove(file: CachedFile): void {
    const same = this.files.get(file.number);
    same?.delete(file);
    if (same?.size === 0) this.files.delete(file.number);
  }

  /** All open files of this thread. */
  *open(): Generator<CachedFile> {
    for (const same of this.files.values()) yield* same;
  }

  storageFile(number: number, write: boolean): StorageFile | Promise<StorageFile> {
    for (const file of this.files.get(number) ?? []) if (!write || file.writable) return file.storage;
    let own = this.own.get(number);
    if (own === undefined) {
      own = this.openAgain(number);
      this.own.set(number, own);
      own.catch(() => this.own.delete(number));
    }
    return own;
  }

  private async openAgain(number: number): Promise<StorageFile> {
    const record = recordAt(number);
    const path = pathOf(record);
    if (path === undefined)
      throw new FileCacheError(
        'EBADF',
        'no thread that is left has the file open, and its path is too long to be kept',
      );
    const file = await this.storage.open(path, READ_WRITE);
    if (isSame(record, await file.stat())) return file;
    await file.close();
    throw new FileCacheError('EBADF', `${path} is another file by now`);
  }

  /** Closes what {@link storageFile} opened. */
  async closeAll(): Promise<void> {
    const own = [...this.own.values()];
    this.own.clear();
    for (const file of own) await (await file.catch(() => undefined))?.close();
  }
}
