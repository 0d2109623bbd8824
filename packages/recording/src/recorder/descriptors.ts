// SPDX-License-Identifier: MIT
import type { TrackedFile } from './files.js';

/** What a descriptor leads to: the kernel's `struct file`, shared by dup and fork. */
export interface Description {
  /** The id in the recording; -1 when it is not of a file with a page cache. */
  id: number;
  file: TrackedFile | null;
  /** Pipe number, or null. */
  pipe: number | null;
  offset: number;
  append: boolean;
  /** Descriptors that lead to it, in all tables. */
  references: number;
}

/** The descriptors of one process (or of several that share them). Calls `released` when a description's last one goes. */
export class DescriptorTable {
  #entries = new Map<number, { description: Description; closeOnExec: boolean }>();
  /** Tasks that use this table. */
  users = 1;

  get(fd: number): Description | null {
    return this.#entries.get(fd)?.description ?? null;
  }

  /** Returns the description that lost its last descriptor because `fd` was taken over, if any. */
  set(fd: number, description: Description, closeOnExec: boolean): Description | null {
    const released = this.close(fd);
    description.references++;
    this.#entries.set(fd, { description, closeOnExec });
    return released;
  }

  setCloseOnExec(fd: number, value: boolean): void {
    const entry = this.#entries.get(fd);
    if (entry) entry.closeOnExec = value;
  }

  /** Returns the description if this was its last descriptor. */
  close(fd: number): Description | null {
    const entry = this.#entries.get(fd);
    if (!entry) return null;
    this.#entries.delete(fd);
    return --entry.description.references === 0 ? entry.description : null;
  }

  closeRange(first: number, last: number): Description[] {
    const doomed = [...this.#entries.keys()].filter((fd) => fd >= first && fd <= last);
    return doomed.map((fd) => this.close(fd)).filter((description) => description !== null);
  }

  closeOnExec(): Description[] {
    const doomed = [...this.#entries].filter(([, entry]) => entry.closeOnExec).map(([fd]) => fd);
    return doomed.map((fd) => this.close(fd)).filter((description) => description !== null);
  }

  /** For fork without CLONE_FILES, and for exec, which unshares. */
  copy(): DescriptorTable {
    const copy = new DescriptorTable();
    for (const [fd, { description, closeOnExec }] of this.#entries) copy.set(fd, description, closeOnExec);
    return copy;
  }
}
