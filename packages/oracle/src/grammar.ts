// SPDX-License-Identifier: GPL-2.0-only
import type { Line } from './line.js';
import { ADVICE, HUGE_ARENA_PAGES, type Living, MAX_FILE_PAGES, MSYNC_MODES, PROTS, type Step } from './script.js';

/** What is known where a step is read. */
export interface Context {
  /** Files of the script. */
  readonly files: number;
  readonly living: Living;
}

/** One argument of a step, or several that belong together. */
interface Parameter {
  readonly read: (line: Line, context: Context) => object;
  readonly write: (step: never) => string;
}
/** Both ways in one place: `write` is given what `read` gave. */
const parameter = <T extends object>(
  read: (line: Line, context: Context) => T,
  write: (step: T) => string,
): Parameter => ({ read, write });

function fileNumber(line: Line, { files }: Context): number {
  if (files === 0) throw line.wrong('the script has no file: expected "file 0 disk 16" before the first step');
  return line.number('a file', 0, files - 1);
}

function newProcess(line: Line, { living }: Context): number {
  const child = line.process('the child');
  if (living.has(child)) throw line.wrong(`there is a process P${child} already`);
  return child;
}

const pageOfFile = (line: Line): number => line.number('a page of the file', 0, MAX_FILE_PAGES - 1);

/** `private`, or `shared file 0 from 4`. */
const mapping = parameter(
  (line, context) => {
    const shared = line.oneOf(['private', 'shared'] as const) === 'shared';
    if (!line.more) return { shared, file: null, index: 0 };
    line.oneOf(['file'] as const);
    const file = fileNumber(line, context);
    line.oneOf(['from'] as const);
    return { shared, file, index: pageOfFile(line) };
  },
  ({ shared, file, index }) => `${shared ? 'shared' : 'private'}${file === null ? '' : ` file ${file} from ${index}`}`,
);

const ANYWHERE = 'anywhere+';
const STAYS = 'dontunmap';
/** `0+4 8+6`, `0+4 anywhere+6`; `0+4 8+4 dontunmap`. */
const move = parameter(
  (line) => {
    const from = line.range(0);
    const pages = Number(line.after(ANYWHERE) ?? Number.NaN);
    const anywhere = Number.isInteger(pages) && pages > 0 && pages <= line.arena;
    const to = anywhere ? { at: null, pages } : line.range();
    const stays = line.more && line.oneOf([STAYS] as const) === STAYS;
    return { ...from, to: to.at, newPages: to.pages, stays };
  },
  ({ at, pages, to, newPages, stays }) =>
    `${at}+${pages} ${to === null ? ANYWHERE : `${to}+`}${newPages}${stays ? ` ${STAYS}` : ''}`,
);

const fromPage = parameter(
  (line) => {
    line.oneOf(['from'] as const);
    return { index: pageOfFile(line) };
  },
  ({ index }) => `from ${index}`,
);

const other = parameter(
  (line, { living }) => {
    const of = line.process('a process');
    if (!living.has(of)) throw line.wrong(`there is no process P${of} here`);
    return { of };
  },
  ({ of }) => `P${of}`,
);
const page = parameter(
  (line) => ({ at: line.number('a page', 0, line.arena - 1) }),
  ({ at }) => String(at),
);
const range = parameter(
  (line) => line.range(),
  ({ at, pages }) => `${at}+${pages}`,
);
const prot = parameter(
  (line) => ({ prot: line.oneOf(PROTS) }),
  ({ prot }) => prot,
);
const advice = parameter(
  (line) => {
    const advice = line.oneOf(ADVICE);
    if ((advice === 'huge' || advice === 'nohuge') && line.arena < HUGE_ARENA_PAGES)
      throw line.wrong('huge pages need more room: expected "arena huge" before everything else');
    return { advice };
  },
  ({ advice }) => advice,
);
const mode = parameter(
  (line) => ({ mode: line.oneOf(MSYNC_MODES) }),
  ({ mode }) => mode,
);
const child = parameter(
  (line, context) => ({ child: newProcess(line, context) }),
  ({ child }) => `P${child}`,
);
const file = parameter(
  (line, context) => ({ file: fileNumber(line, context) }),
  ({ file }) => String(file),
);
const fileSize = parameter(
  (line) => ({ pages: line.number('pages', 0, MAX_FILE_PAGES) }),
  ({ pages }) => String(pages),
);
const index = parameter(
  (line) => ({ index: pageOfFile(line) }),
  ({ index }) => String(index),
);

const extent = parameter(
  (line) => {
    const { at, pages } = line.range();
    return { index: at, pages };
  },
  ({ index, pages }) => `${index}+${pages}`,
);

/** The steps, and what follows their names. */
export const OPERATIONS: { readonly [Op in Step['op']]: readonly Parameter[] } = {
  mmap: [range, prot, mapping],
  read: [page],
  write: [page],
  fork: [child],
  exit: [],
  munmap: [range],
  mremap: [move],
  'remap-file-pages': [range, fromPage],
  mprotect: [range, prot],
  madvise: [range, advice],
  msync: [range, mode],
  mlock: [range],
  munlock: [range],
  'swap-out': [range],
  swapoff: [],
  swapon: [],
  contents: [range],
  truncate: [file, fileSize],
  pread: [file, index],
  pwrite: [file, index],
  fsync: [file],
  drop: [file],
  punch: [file, extent],
  peek: [other, page],
  poke: [other, page],
  'vm-read': [other, page],
  'vm-write': [other, page],
};
