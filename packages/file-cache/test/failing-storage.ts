// SPDX-License-Identifier: GPL-2.0-only
import { nodeStorage, type Storage, type StorageFile } from '../src/node.js';

/** An error as Node's have it. */
export const errno = (code: string): Error => Object.assign(new Error(`${code}: on demand`), { code });

type Operation = 'read' | 'write' | 'sync' | 'truncate';

/** Something that others wait for until it is told to go on. */
export class Gate {
  open: () => void = () => {};
  readonly passed: Promise<void> = new Promise((resolve) => {
    this.open = resolve;
  });
}

/** Node's file system, which fails on demand: an operation whose answer here is an error. */
export class FailingStorage implements Storage {
  readonly mayBlock = true;
  /** Called before each read and write, with the bytes' place; an error fails it. */
  fails: (operation: Operation, position: number, bytes: number) => Error | undefined = () => undefined;
  /** Each read waits for this. */
  slow: Promise<void> | undefined;
  /** The next of these operations waits for this: a truncation before it takes place, a stat after it. */
  readonly held: { stat?: Promise<void> | undefined; truncate?: Promise<void> | undefined } = {};
  reads = 0;
  /** Turns of the event loop that an asynchronous call takes before it does anything, one number after the other, and again. */
  turns: readonly number[] = [];
  private calls = 0;

  async open(...args: Parameters<Storage['open']>): Promise<StorageFile> {
    return this.wrap(await nodeStorage.open(...args));
  }

  openBlocking(...args: Parameters<Storage['open']>): StorageFile {
    if (nodeStorage.openBlocking === undefined) throw new Error('no blocking storage');
    return this.wrap(nodeStorage.openBlocking(...args));
  }

  private ask(operation: Operation, position = 0, views: readonly Uint8Array[] = []): void {
    if (operation === 'read') this.reads++;
    const error = this.fails(
      operation,
      position,
      views.reduce((sum, { length }) => sum + length, 0),
    );
    if (error !== undefined) throw error;
  }

  private async dawdle(): Promise<void> {
    if (this.turns.length === 0) return;
    for (let left = this.turns[this.calls++ % this.turns.length]; left > 0; left--)
      await new Promise((resolve) => setImmediate(resolve));
  }

  private takeHeld(operation: 'stat' | 'truncate'): Promise<void> | undefined {
    const held = this.held[operation];
    this.held[operation] = undefined;
    return held;
  }

  private wrap(file: StorageFile): StorageFile {
    const { blocking } = file;
    if (blocking === undefined) throw new Error('no blocking storage');
    return {
      ...file,
      read: async (into, position) => {
        await this.slow;
        await this.dawdle();
        this.ask('read', position, into);
        return await file.read(into, position);
      },
      write: async (from, position) => {
        await this.dawdle();
        this.ask('write', position, from);
        return await file.write(from, position);
      },
      sync: async () => {
        this.ask('sync');
        await file.sync();
      },
      stat: async () => {
        const held = this.takeHeld('stat');
        const stat = await file.stat();
        await held;
        await this.dawdle();
        return stat;
      },
      truncate: async (size) => {
        await this.takeHeld('truncate');
        await this.dawdle();
        this.ask('truncate', size);
        await file.truncate(size);
      },
      blocking: {
        ...blocking,
        read: (into, position) => {
          this.ask('read', position, into);
          return blocking.read(into, position);
        },
        write: (from, position) => {
          this.ask('write', position, from);
          return blocking.write(from, position);
        },
        sync: () => {
          this.ask('sync');
          blocking.sync();
        },
      },
    };
  }
}
