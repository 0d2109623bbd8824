// SPDX-License-Identifier: MIT
import { realpathSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { FileInfo, FileKind } from '../format.js';

/** What was known about a path before the program started. */
export interface Before {
  device: string;
  inode: number;
  size: number;
  cached: [number, number][];
}

/** A file while it is followed through the run. */
export interface TrackedFile {
  /** Its place in `FileTable.all`: a provisional id. */
  id: number;
  kind: FileKind;
  device: string;
  inode: number;
  /** Size when first seen. */
  firstSize: number;
  existed: boolean;
  firstPath: string;
  cached: [number, number][];
  /** Size now. */
  size: number;
  /** Names it has now. */
  names: Set<string>;
}

/** Filesystems take times of birth from a clock that lags by up to a timer tick. */
const CLOCK_SLACK_MS = 10;

const TMPFS = 0x01021994;
const PSEUDO = new Set([0x9fa0, 0x62656572, 0x64626720, 0x74726163, 0x27e0eb, 0x63677270, 0x19800202, 0x1cd1]);

/** st_dev as the kernel's tracepoints print it. */
export function deviceName(dev: number): string {
  const major = Math.floor(dev / 256) % 4096;
  const minor = (dev % 256) + Math.floor(dev / 2 ** 20) * 256;
  return `${major}:${minor}`;
}

/** Which kind of file a path leads to: null for whatever has no page cache of its own (directories, devices, /proc). */
export function kindAt(
  path: string,
): { kind: FileKind; device: string; inode: number; size: number; born: number } | null {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return null;
    const type = statfsSync(path).type;
    if (PSEUDO.has(type)) return null;
    const kind = type === TMPFS ? 'shmem' : 'regular';
    return { kind, device: deviceName(stat.dev), inode: stat.ino, size: stat.size, born: stat.birthtimeMs };
  } catch {
    return null;
  }
}

/** The filesystem that a path is on, though neither it nor its directories may exist any more. */
function filesystemOf(path: string): { device: string; kind: FileKind } | null {
  const directory = dirname(path);
  try {
    const type = statfsSync(directory).type;
    if (PSEUDO.has(type)) return null;
    return { device: deviceName(statSync(directory).dev), kind: type === TMPFS ? 'shmem' : 'regular' };
  } catch {
    return directory === path ? null : filesystemOf(directory);
  }
}

/** Resolves the symbolic links of a path's directory, not of its last part: what unlink and rename act on. */
export function canonical(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

/**
 * Knows every file of the run: by path, as names come and go, and by inode, as the page-cache events call them. An inode
 * number belongs to different files at different times, because filesystems use freed numbers again at once.
 */
export class FileTable {
  readonly all: TrackedFile[] = [];
  readonly warnings: string[] = [];
  readonly #before: ReadonlyMap<string, Before>;
  readonly #runStart: number;
  /** The paths in `#before`, by inode. */
  readonly #pathBefore = new Map<string, string>();
  /** Paths in `#before` that lead to what was there before no longer. */
  readonly #gone = new Set<string>();
  readonly #byPath = new Map<string, TrackedFile>();
  readonly #byInode = new Map<string, TrackedFile>();
  /** Page-cache events of inodes that nothing was known about: decided at the end. */
  readonly #unknown = new Map<string, TrackedFile>();

  /** @param runStart wall-clock milliseconds when the program started */
  constructor(before: ReadonlyMap<string, Before>, runStart: number) {
    this.#before = before;
    this.#runStart = runStart;
    for (const [path, { device, inode }] of before) this.#pathBefore.set(`${device} ${inode}`, path);
  }

  /** The file that an open of `path` reached, or null when it has no page cache. `created`: it may be this open's doing. */
  opened(path: string, creating: boolean): TrackedFile | null {
    return this.#byPath.get(path) ?? this.#existing(path) ?? this.#unforeseen(path, creating);
  }

  /** The file at a path that is about to lose or change its name; null when it is not one that the program uses. */
  named(path: string): TrackedFile | null {
    return this.#byPath.get(path) ?? this.#existing(path);
  }

  /** A file seen in a memory map, which has both names. */
  mapped(path: string, device: string, inode: number): TrackedFile {
    const known = this.#byInode.get(`${device} ${inode}`) ?? this.#byPath.get(path) ?? this.#existing(path);
    if (known) return known;
    const now = kindAt(path);
    this.warnings.push(`${path} was not seen in the dry run: its cached pages are not known`);
    return this.#add({
      kind: now?.kind ?? 'regular',
      device,
      inode,
      size: now?.size ?? 0,
      path,
      existed: true,
      cached: [],
    });
  }

  /** A memory file, which has no path. */
  anonymous(name: string): TrackedFile {
    return this.#add({ kind: 'shmem', device: '0:0', inode: 0, size: 0, path: name, existed: false, cached: [] });
  }

  /** An unnamed temporary file (O_TMPFILE) in the directory of `path`. */
  temporary(path: string): TrackedFile {
    const file = this.#create(path, filesystemOf(path)?.device ?? '0:0', 'regular');
    this.#byPath.delete(path);
    file.names.clear();
    return file;
  }

  /**
   * The file that a page-cache event is about. `suspect` is the file that the thread's current system call works on: if that
   * one's inode is not known yet, this is it.
   */
  byInode(device: string, inode: number, suspect: TrackedFile | null): TrackedFile {
    const key = `${device} ${inode}`;
    const known = this.#byInode.get(key);
    if (known && (known.names.size > 0 || suspect === null || suspect.inode !== 0)) return known;
    if (suspect && suspect.inode === 0 && suspect.device === device) {
      suspect.inode = inode;
      this.#byInode.set(key, suspect);
      return suspect;
    }
    const path = this.#pathBefore.get(key);
    const file = known ?? (path === undefined ? null : this.#existing(path));
    if (file) return file;
    let unknown = this.#unknown.get(key);
    if (!unknown) {
      unknown = this.#add({ kind: 'metadata', device, inode, size: 0, path: '', existed: true, cached: [] });
      this.#unknown.set(key, unknown);
    }
    return unknown;
  }

  unlinked(path: string): TrackedFile | null {
    const file = this.named(path);
    file?.names.delete(path);
    this.#byPath.delete(path);
    this.#gone.add(path);
    return file;
  }

  linked(from: string, to: string): void {
    const file = this.named(from);
    if (!file) return;
    file.names.add(to);
    this.#byPath.set(to, file);
  }

  renamed(from: string, to: string): { file: TrackedFile | null; replaced: TrackedFile | null } {
    const file = this.named(from);
    const replaced = this.unlinked(to);
    this.unlinked(from);
    if (file) {
      file.names.add(to);
      this.#byPath.set(to, file);
    }
    return { file, replaced: replaced === file ? null : replaced };
  }

  /**
   * Gives created files that are still there their inode, and says which of the unknown inodes turned out to be one of
   * them. Call after the last event.
   */
  settle(): Map<TrackedFile, TrackedFile> {
    const same = new Map<TrackedFile, TrackedFile>();
    for (const file of this.all) {
      const seen =
        file.inode === 0 || file.kind === 'metadata' ? null : this.#unknown.get(`${file.device} ${file.inode}`);
      if (seen && file.existed) same.set(seen, file);
      if (file.inode !== 0 || file.names.size === 0) continue;
      const now = kindAt([...file.names][0]);
      if (!now) continue;
      file.inode = now.inode;
      file.device = now.device;
      const unknown = this.#unknown.get(`${now.device} ${now.inode}`);
      if (unknown) same.set(unknown, file);
    }
    return same;
  }

  #existing(path: string): TrackedFile | null {
    const before = this.#before.get(path);
    if (!before || this.#gone.has(path)) return null;
    const linked = this.#byInode.get(`${before.device} ${before.inode}`);
    if (linked) {
      linked.names.add(path);
      this.#byPath.set(path, linked);
      return linked;
    }
    const kind = filesystemOf(path)?.kind ?? 'regular';
    return this.#add({ ...before, kind, path, existed: true });
  }

  #unforeseen(path: string, creating: boolean): TrackedFile | null {
    const now = kindAt(path);
    const fresh = now === null || now.born >= this.#runStart - CLOCK_SLACK_MS;
    if (creating && fresh) {
      const directory = filesystemOf(path);
      return directory && this.#create(path, directory.device, directory.kind);
    }
    if (now === null) return null;
    this.warnings.push(`${path} was not seen in the dry run: its cached pages are not known`);
    return this.#add({ ...now, path, existed: true, cached: [] });
  }

  #create(path: string, device: string, kind: FileKind): TrackedFile {
    return this.#add({ kind, device, inode: 0, size: 0, path, existed: false, cached: [] });
  }

  #add(info: Omit<FileInfo, 'id'>): TrackedFile {
    const { path, size, ...rest } = info;
    const id = this.all.length;
    const file: TrackedFile = {
      id,
      ...rest,
      firstPath: path,
      firstSize: size,
      size,
      names: new Set(path === '' ? [] : [path]),
    };
    this.all.push(file);
    if (path !== '') this.#byPath.set(path, file);
    if (file.inode !== 0 && file.kind !== 'metadata') this.#byInode.set(`${file.device} ${file.inode}`, file);
    return file;
  }
}
