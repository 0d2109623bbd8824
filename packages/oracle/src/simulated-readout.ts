// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek } from '@lockless/cpu';
import { type Area, areas, type ResidentPage, residentPages } from '@lockless/mm';
import {
  type MmStruct,
  Page,
  PG_DIRTY,
  PG_PRIVATE,
  VM_EXEC,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_READ,
  VM_WRITE,
} from '@lockless/mm-types';
import { pageToPfn } from '@lockless/page';
import type { AreaSeen, PageSeen, ProcessSeen } from './observation.js';
import { ARENA_BASE, type OpenFile } from './simulated-memory.js';
import { type Resident, sumsOf } from './smaps.js';

/** Reads an address space out of the simulated machine's memory, by peeks. `core`: what mincore said. */
export function readProcess(
  process: number,
  mm: Ptr<MmStruct>,
  files: readonly OpenFile[],
  core: ReadonlyMap<number, boolean>,
): ProcessSeen {
  const resident = new Map(residentPages(mm).map((page) => [page.vpage, page]));
  const found = areas(mm);
  const pages = found.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, i) =>
      pageSeen(start + i, resident.get(start + i), core.get(start + i) === true),
    ),
  );
  return { process, areas: found.map((area) => areaSeen(area, resident, files)), pages };
}

function areaSeen(area: Area, resident: ReadonlyMap<number, ResidentPage>, files: readonly OpenFile[]): AreaSeen {
  const inside = [...resident.values()].filter(({ vpage }) => vpage >= area.start && vpage < area.end);
  const number = files.findIndex(({ ino }) => ino === area.ino);
  const of = area.ino === 0 ? 'anonymous' : number < 0 ? 'shared anonymous' : `file ${number}`;
  return {
    start: area.start - ARENA_BASE,
    end: area.end - ARENA_BASE,
    rights: rightsOf(area.flags),
    of,
    index: area.ino === 0 ? 0 : area.pgoff,
    smaps: sumsOf(inside.flatMap(asResident), (area.flags & VM_LOCKED) !== 0),
  };
}

/** VM_MAYSHARE, not VM_SHARED: what the program asked for. */
const rightsOf = (flags: number): string =>
  `${flags & VM_READ ? 'r' : '-'}${flags & VM_WRITE ? 'w' : '-'}${flags & VM_EXEC ? 'x' : '-'}${flags & VM_MAYSHARE ? 's' : 'p'}`;

/** The zero page is no resident page. */
function asResident(page: ResidentPage): Resident[] {
  if (page.kind === 'zero') return [];
  return [{ mapcount: page.mapcount, dirty: page.dirty || frameDirty(page), anonymous: page.kind === 'anon' }];
}

/** PageDirty; of memory files PagePrivate, which stands for it (packages/mm/src/shmem.ts). */
const frameDirty = ({ kind, page }: ResidentPage): boolean =>
  (peek(Page.flags(page)) & (1 << (kind === 'shmem' ? PG_PRIVATE : PG_DIRTY))) !== 0;

function pageSeen(vpage: number, at: ResidentPage | undefined, mincore: boolean): PageSeen {
  const page = vpage - ARENA_BASE;
  if (at === undefined) return { page, kind: 'none', frame: 0, mapcount: 0, dirty: false, mincore };
  const { kind, mapcount } = at;
  const dirty = (kind === 'file' || kind === 'shmem') && frameDirty(at);
  return { page, kind, frame: pageToPfn(at.page), mapcount, dirty, mincore };
}
