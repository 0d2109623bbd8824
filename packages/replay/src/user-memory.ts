// SPDX-License-Identifier: GPL-2.0-only
import { type Op, smpMb } from '@lockless/cpu';
import { type AccessKind, type Content, type UserAccess, userAccess, userRead, userWrite } from '@lockless/mm';
import type { AddressMap } from './address-map.js';
import type { Area, AreaMap } from './area-map.js';
import type { Contents } from './contents.js';
import type { Moment } from './register-history.js';

/** One address space of the program, on the host's side. */
export interface Space {
  readonly id: number;
  /** Where what is, in real page numbers. */
  areas: AreaMap;
  /** System calls of its threads, so far. */
  readonly calls: { begun: number; ended: number };
}

/**
 * What the program does to its memory, checked: every datum read is one that was written there. What overlaps what is judged by the moments
 * at which accesses begin and end; a full barrier at either side makes sure that a write is not in a store buffer when it is said to be
 * over, nor a read of before it is said to begin.
 */
export class UserMemory {
  private readonly addresses: AddressMap;
  private readonly contents: Contents;
  /** Inode number of a file id. */
  private readonly inodeOf: (file: number) => number;
  private tokens = 0;

  constructor(addresses: AddressMap, contents: Contents, inodeOf: (file: number) => number) {
    this.addresses = addresses;
    this.contents = contents;
    this.inodeOf = inodeOf;
  }

  /** Touches a page as the program did. The result's error is 0, a signal, or -ENOMEM. */
  *touch(space: Space, page: number, kind: AccessKind): Op<UserAccess> {
    const area = space.areas.find(page);
    if (kind === 'exec') return yield* userAccess(this.addresses.toSimulated(page), kind);
    return kind === 'write' ? yield* this.write(space, page, area) : yield* this.read(space, page, area);
  }

  private *read(space: Space, page: number, area: Area | null): Op<UserAccess> {
    const begun = this.contents.moment();
    yield* smpMb();
    const seen = yield* userRead(this.addresses.toSimulated(page));
    if (seen.error === 0) this.checkIn(area, space, page, seen.content, begun);
    return seen;
  }

  /** Compares what a read of a page found that began at that moment. Throws KernelBug `lost-data`. */
  check(space: Space, page: number, found: Content, begun: Moment): void {
    this.checkIn(space.areas.find(page), space, page, found, begun);
  }

  private checkIn(area: Area | null, space: Space, page: number, found: Content, begun: Moment): void {
    // Shared anonymous memory is written by other address spaces too.
    if (area === null || (area.shared && area.file === null)) return;
    const file = fileOf(area, page);
    if (file === null || this.contents.isWritten(space.id, page))
      this.contents.anonymousRead(space.id, page, found, begun);
    else this.contents.fileRead(this.inodeOf(file.id), file.index, found, begun);
  }

  private *write(space: Space, page: number, area: Area | null): Op<UserAccess> {
    const file = area === null ? null : fileOf(area, page);
    if (file !== null && area?.shared) {
      const written = yield* userWrite(this.addresses.toSimulated(page), { identity: 0, version: 0 });
      yield* smpMb();
      if (written.error === 0) this.contents.fileWritten(this.inodeOf(file.id), file.index, written.content.version);
      return written;
    }
    const datum: Content = { identity: ++this.tokens | 0x40000000, version: 1 };
    const source = file === null ? null : { ino: this.inodeOf(file.id), index: file.index };
    const end = this.contents.anonymousWrite(space.id, page, datum, source);
    const written = yield* userWrite(this.addresses.toSimulated(page), datum);
    yield* smpMb();
    end();
    if (written.error !== 0) this.contents.buffer(space.id, page, page + 1);
    return written;
  }
}

const fileOf = (area: Area, page: number): { id: number; index: number } | null =>
  area.file === null ? null : { id: area.file, index: area.index + (page - area.from) };
